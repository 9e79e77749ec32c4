"""How fast a run goes by: slow motion while it trains, and the replay of one that is over."""

from __future__ import annotations

from textual import events

from d2ltui.spec.language import _
from d2ltui.spec.text import pace
from d2ltui.tui.panes.chart import ChartPane, CursorMoved
from d2ltui.tui.screens.sizing import SizingScreen
from d2ltui.tui.services.replay import Replay, changed_speed


class PlayingScreen(SizingScreen):
    """A screen of panes that plays a run."""

    def __init__(self) -> None:
        super().__init__()
        self.speed: float | None = None  # steps a second of a run that trains; None for all there is
        self.replay = Replay()

    def action_speed(self, by: int) -> None:
        """Slower, or faster: the replay, or else this process's run, the next one where none trains."""
        live = self.host.live
        if self.replay.on:
            self.replay.change_speed(by)
        elif live is not None and live.ended is None and not self.host.training:
            self._say(_("another process trains this run, as fast as it can: < and > change the runs of this one"))
        else:
            present = live.step / live.seconds if live is not None and live.seconds > 0 else 100.0
            self.speed, self.replay = changed_speed(self.speed, by, present), Replay()
            self.host.set_pace(self.speed)
            if not self.host.training:
                speed = pace(self.speed) if self.speed is not None else _("all there is")
                self._say(_("speed of the next run or replay: {speed}").format(speed=speed))
        self.tick()

    @property
    def speed_in_words(self) -> str:
        """For the status line; "" where a run goes as fast as it can."""
        if self.replay.on:
            return _("replay at {speed}").format(speed=pace(self.replay.speed))
        return _("slow motion: {speed}").format(speed=pace(self.slowed_to)) if self.slowed_to is not None else ""

    @property
    def slowed_to(self) -> float | None:
        """Steps a second of a run that is in slow motion."""
        return self.speed if self.host.training and not self.replay.on else None

    def play(self) -> bool:
        """Play the run that is on the screen, from the cursor on, or stop that; False where there is none to play."""
        live = self.host.live
        if self.replay.on:
            self.replay.stop()
        elif live is not None and live.ended is not None and live.step > 1:
            begin = self.cursor if self.cursor is not None and self.cursor < live.step else 1
            self.replay.start(begin, live.step, self.replay.chosen or self.speed)
            self.cursor = begin
        else:
            return False
        self.refresh_bindings()
        self.tick()
        return True

    def advance(self) -> None:
        """Bring the cursor to the step of the replay, which stands still where nobody sees it."""
        if not self.replay.on:
            return
        if not self.is_active:
            self.replay.wait()
            return
        self.cursor = self.replay.step()
        if self.cursor is None:
            self.refresh_bindings()

    def on_key(self, event: events.Key) -> None:
        """Where no pane has the focus, as after a run has been begun, ← and → are of the first chart that is seen."""
        if self.focused is None and event.key.removeprefix("shift+") in ("left", "right"):
            chart = next((chart for chart in self.query(ChartPane) if chart.region.area and chart.focusable), None)
            if chart is not None:
                self.set_focus(chart)
                chart.on_key(event)

    def on_cursor_moved(self, message: CursorMoved) -> None:
        """A person who moves the cursor wants to look there."""
        self.replay.stop()
        super().on_cursor_moved(message)

    def forget_cursor(self) -> None:
        """Another run, however it has begun: it goes as fast as the one before."""
        self.replay = Replay()
        self.host.set_pace(self.speed)
        super().forget_cursor()

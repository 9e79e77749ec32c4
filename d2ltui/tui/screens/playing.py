"""How fast a run goes by: slow motion while it trains, and the replay of one that is over."""

from __future__ import annotations

from d2ltui.tui.panes.chart import CursorMoved
from d2ltui.tui.screens.panes import PanesScreen
from d2ltui.tui.services.replay import Replay, changed_speed, in_words


class PlayingScreen(PanesScreen):
    """A screen of panes that plays a run."""

    def __init__(self) -> None:
        super().__init__()
        self.speed: float | None = None  # steps a second; None for all there is
        self.replay = Replay()

    def action_speed(self, by: int) -> None:
        """Slower, or faster."""
        live = self.host.live
        present = live.step / live.seconds if live is not None and live.seconds > 0 else 100.0
        if self.replay.on:
            present = self.replay.speed
        self.speed = changed_speed(self.speed, by, present)
        self.replay.set_speed(self.speed)
        self.host.set_pace(self.speed)
        self.tick()

    @property
    def speed_in_words(self) -> str:
        """For the status line; "" where a run goes as fast as it can."""
        if self.replay.on:
            return f"replay at {in_words(self.replay.speed)}: step {self.cursor or 0:,}"
        return f"slow motion: {in_words(self.speed)}" if self.speed is not None else ""

    def play(self) -> bool:
        """Play the run that is on the screen, from the cursor on, or stop that; False where there is none to play."""
        live = self.host.live
        if self.replay.on:
            self.replay.stop()
        elif live is not None and live.ended is not None and live.step > 1:
            begin = self.cursor if self.cursor is not None and self.cursor < live.step else 1
            self.replay.start(begin, live.step, self.speed)
            self.cursor = begin
        else:
            return False
        self.refresh_bindings()
        self.tick()
        return True

    def advance(self) -> None:
        """Bring the cursor to the step of the replay."""
        live = self.host.live
        if self.replay.on and live is not None and self.is_active:
            self.cursor = self.replay.step()
            if self.cursor is None:
                self.refresh_bindings()

    def on_cursor_moved(self, message: CursorMoved) -> None:
        """A person who moves the cursor wants to look there."""
        self.replay.stop()
        super().on_cursor_moved(message)

    def forget_cursor(self) -> None:
        """Another run."""
        self.replay.stop()
        super().forget_cursor()

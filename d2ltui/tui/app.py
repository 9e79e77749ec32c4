"""The application: what outlives its screens. It owns the worker and the way out."""

from __future__ import annotations

import signal
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events
from textual.app import App
from textual.filter import LineFilter
from textual.widgets import Input

from d2ltui.runner.preflight import Preflight
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.terminal import is_kernel_console
from d2ltui.tui.early import EarlyInput, ScreenReady
from d2ltui.tui.keys import APP_BINDINGS
from d2ltui.tui.notices import NoticesApp
from d2ltui.tui.render.app import FrameApp
from d2ltui.tui.render.key_queue import KeyHandled, KeyQueue
from d2ltui.tui.render.locale import AsciiFilter, ConsoleFilter, is_utf8
from d2ltui.tui.screens.main import MainScreen
from d2ltui.tui.screens.spare import LOOK_EVERY, QUIET_FOR
from d2ltui.tui.services.defects import DefectsApp
from d2ltui.tui.services.lesson_runner import LessonRunner
from d2ltui.tui.services.machine import Machine
from d2ltui.tui.services.map_runner import MapRunner
from d2ltui.tui.services.stored import StoredRuns
from d2ltui.tui.services.undisturbed import Undisturbed
from d2ltui.tui.signals import AppSignals
from d2ltui.tui.suspending import SuspendableApp
from d2ltui.tui.typed_ahead import TypedAhead

if TYPE_CHECKING:
    from textual.driver import Driver

    from d2ltui.engine.control import Control, Mode
    from d2ltui.engine.picture_desk import PictureDesk
    from d2ltui.history.live import LiveRun
    from d2ltui.lessons.bench import Bench
    from d2ltui.runner.recording import RunRecording
    from d2ltui.runner.worker import Worker
    from d2ltui.spec.events import ObserverFailed
    from d2ltui.tui.host import Host
    from d2ltui.tui.services.watching import Watching

SOON = 0.01  # seconds until something is looked at once more
SPARES_AFTER = 1.5  # seconds: at first there is enough to do
THEME_FOR = 0.02  # seconds of each look: a key that comes then waits no longer
ANSWER = 0.1  # seconds that a run rests at most while a key is answered
MAX_BACKLOG = 2  # writes that wait for the terminal


class D2LApp(SuspendableApp, NoticesApp, DefectsApp, FrameApp, App[None]):
    """d2ltui's interface."""

    CSS_PATH = "app.tcss"
    TITLE = "d2ltui"
    ENABLE_COMMAND_PALETTE = False  # `?` tells all keys, from the table that dispatches them
    BINDINGS = APP_BINDINGS

    def __init__(
        self,
        config: RunConfig,
        *,
        typed: Collection[str] = (),
        start: bool = False,
        exit_when_done: bool = False,
        max_fps: float = 4.0,
        ascii: bool | None = None,
        store: bool = True,
        on_hangup: str = "continue",
        watch: Path | None = None,
        signals: AppSignals | None = None,
        typed_ahead: TypedAhead | None = None,
    ) -> None:
        super().__init__()
        # A slow link has no bytes for what only looks smooth, and a field that still moves cannot be scrolled to.
        self.animation_level = "none"
        self.signals, self.typed_ahead = signals, typed_ahead
        self.machine = Machine()
        self.max_fps = max_fps
        only_ascii = not is_utf8() if ascii is None else ascii
        on_console = not only_ascii and ascii is None and is_kernel_console()
        self.ascii = only_ascii or on_console  # for what is drawn with marks: neither has braille
        self.measuring = LessonRunner(store)
        self.maps = MapRunner(store)
        self.preflight = Preflight()
        self.stored = StoredRuns(self, self)
        self.data_dir = config.data_dir
        self._typed = KeyQueue(self)
        self._early = EarlyInput(self)
        self.undisturbed = Undisturbed(2 * ANSWER)
        self._config, self._given = config, typed
        self._start = start
        self._exit_when_done = exit_when_done
        self._store = store
        self._on_hangup = on_hangup
        self._watch = watch
        self._trouble_told = ""
        self._failures_told: list[ObserverFailed] = []  # of the run on the screen, at the last look
        self.hung_up = False  # whether the terminal has gone and what is trained goes on without it
        self._worker: Worker | None = None
        self._observers: set[str] = set()
        # One object: what was drawn through it stays good.
        self._character_filter = AsciiFilter() if only_ascii else ConsoleFilter() if on_console else None

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters, and ours where the terminal cannot show all characters."""
        filters = list(super().get_line_filters())
        return [*filters, self._character_filter] if self._character_filter is not None else filters

    def get_driver_class(self) -> type[Driver]:
        """Textual's choice, with a prompt escape key where it is the usual one."""
        driver = super().get_driver_class()
        if driver.__name__ == "LinuxDriver":
            from d2ltui.tui.render.driver import PromptDriver

            return PromptDriver
        return driver

    def get_default_screen(self) -> MainScreen:
        """The main screen. (One on top of Textual's empty screen would have both painted at the start.)"""
        return MainScreen(self._config, self._given)

    @property
    def in_use(self) -> bool:
        """Whether somebody has pressed a key."""
        return self._typed.any

    @property
    def main(self) -> MainScreen:
        """The main screen, whatever covers it."""
        main = self.screen_stack[0]
        assert isinstance(main, MainScreen)
        return main

    async def on_event(self, event: events.Event) -> None:
        """Keys come one after the other, and nothing that a person does comes before the screen is there."""
        if not isinstance(event, (events.InputEvent, events.Paste)) or event.is_forwarded:
            await super().on_event(event)
        elif self._early.keeps(event):
            pass
        elif not isinstance(event, events.Key):
            await super().on_event(event)
            if not isinstance(event, events.MouseMove):
                self._rest_until_shown()
        elif self._typed.admit(event):
            self.undisturbed.begin()
            target = self.focused or self.screen
            await super().on_event(self._typed.with_text_behind(event) if isinstance(target, Input) else event)
            self._typed.dispatched(target)
            self.show_now(self._typed.waits)

    async def on_screen_ready(self, message: ScreenReady) -> None:
        """What a person has done before the screen was there."""
        for event in self._early.released():
            await self.on_event(event)

    async def on_key_handled(self, message: KeyHandled) -> None:
        """The next key, if one waits."""
        following = self._typed.handled(message.number)
        if following is not None:
            await self.on_event(following)
        else:
            self.show_now()
            self._rest_until_shown()

    def input_comes(self) -> None:
        """Whatever trains leaves the processor to the answer: on two cores a step and a frame take twice as long."""
        self.undisturbed.expect()
        for training in self._in_training():
            training.rest(ANSWER)

    def _rest_until_shown(self) -> None:
        if self.screen_stack:
            self.screen.call_after_refresh(self._end_rest)

    def _end_rest(self) -> None:
        self.undisturbed.end()
        for training in self._in_training():
            training.end_rest()

    def _in_training(self) -> Iterator[Control | Bench]:
        if self._worker is not None and self._worker.busy and self._worker.control is not None:
            yield self._worker.control
        if (bench := self.measuring.under_way) is not None:
            yield bench
        if (mapping := self.maps.under_way) is not None:
            yield mapping

    def on_mount(self) -> None:
        """Everything else waits until the main screen is painted."""
        self.set_class(self.console.color_system == "standard", "-few-colours")
        self.set_class(isinstance(self._character_filter, AsciiFilter), "-ascii")
        if self.signals is not None:
            self.signals.attach(self)
        # After ctrl+z and `fg` the terminal is empty: what has not changed has to be sent once more, too.
        self.app_resume_signal.subscribe(self, lambda _: self.redraw())
        self.call_after_refresh(self._painted)

    def on_unmount(self) -> None:
        """No key is answered any more, and the process may go on: with a run whose terminal has gone, say."""
        self.undisturbed.end()

    def _painted(self) -> None:
        if not self.main.is_mounted:  # what comes in the meantime may have something else refreshed before it
            self.set_timer(SOON, self._painted)
            return
        self.undisturbed.started()
        self.run_worker(self._complete())
        if self._watch is not None:
            self.stored.watch(self._watch)
        elif not self._start:
            self.run_worker(self.stored.offer())
        if self._start:
            self.main.action_run()

    async def _complete(self) -> None:
        """What the first paint does not wait for. One import after the other: PyTorch's takes seconds."""
        self.machine.open()
        await self.main.add_plugin_panes()
        self.worker.preload()
        self.set_timer(SPARES_AFTER, lambda: self.set_interval(LOOK_EVERY, self._prepare_screens))

    def _prepare_screens(self) -> None:
        """Prepare a screen, and the other theme, while nobody waits for anything."""
        if not self.screen_stack:
            return  # the application ends
        if self.main.is_active and self._typed.quiet_for(QUIET_FOR) and not self.backlog:
            self.main.spares.prepare_one()
            self.prepare_theme(THEME_FOR)

    # Signals: see `tui.signals`

    def hang_up(self) -> None:
        """The terminal is gone. What is trained goes on to its end without it, unless it is told to stop."""
        if self.signals is not None:
            self.signals.ignore_hangups()
        if (self.training or self.maps.busy) and self._on_hangup == "continue":
            self.hung_up = True
            if self._worker is not None:
                self._worker.go_on_unseen()
            self.maps.go_on_unseen()
            self.exit(return_code=0)
        else:
            self.leave(128 + signal.SIGHUP)

    # The worker

    @property
    def worker(self) -> Worker:
        """The owner of the training thread. Made after the first paint: its histories need numpy."""
        if self._worker is None:
            from d2ltui.runner.worker import Worker

            self._worker = Worker()
        return self._worker

    @property
    def live(self) -> LiveRun | None:
        """The run on the screen: ours, or the one that is watched."""
        if self.stored.watched is not None:
            return self.stored.watched.live
        return self._worker.live if self._worker is not None else None

    @property
    def control(self) -> Control | Watching | None:
        """The control of the run on the screen; None where it does not go on."""
        if (watched := self.stored.watched) is not None:
            return watched if watched.alive else None
        return self._worker.control if self._worker is not None and self._worker.busy else None

    @property
    def pictures(self) -> PictureDesk | None:
        """Where pictures of the run on the screen are asked for, while it trains and afterwards."""
        if self.stored.watched is not None:
            return self.stored.watched.pictures
        control = self._worker.control if self._worker is not None else None
        return control.pictures if control is not None else None

    @property
    def run_name(self) -> str:
        """What the run on the screen is called, and whether another process trains it; "" where it has no name."""
        if (watched := self.stored.watched) is not None:
            return _("{name}, of another process").format(name=watched.name) if watched.alive else watched.name
        recording = self._worker.recording if self._worker is not None else None
        return (recording.store.name or "") if recording is not None else ""

    @property
    def training(self) -> bool:
        """Whether this process trains a run."""
        return self._worker is not None and self._worker.busy

    def start_run(self, config: RunConfig, mode: Mode) -> None:
        """End the run that there is, and begin another."""
        from d2ltui.runner.recording import RunRecording

        self.stored.leave()
        self.clear_notifications()  # they are of what was on the screen before
        self._trouble_told = ""
        record = partial(RunRecording.new, config) if self._store else None
        self.worker.start(config, mode, self.observed, record, after=self.preflight.thread)

    def go_on(self, recording: RunRecording, control: Control) -> None:
        """Go on with a stored run; there is no other."""
        self.stored.leave()
        self._trouble_told = ""
        after = self.preflight.thread
        self.worker.start(recording.config, "run", self.observed, lambda _: recording, control, after=after)

    def set_pace(self, pace: float | None) -> None:
        """Have the run that this process trains take at most so many steps a second; None for all there is."""
        if self.training and self._worker is not None and self._worker.control is not None:
            self._worker.control.set_pace(pace)

    def poll(self) -> str:
        """Take in what has come of a watched run; returns, once, what went wrong with storing or watching a run."""
        failures = self.live.failures if self.live is not None else []
        if failures is not self._failures_told:  # another run, or more of them
            known, self._failures_told = self._failures_told, failures
            if news := [failure.sentence for failure in failures if not any(failure is told for told in known)]:
                return _("; ").join(news)
        if self.stored.watched is not None:
            self.stored.trouble()
            return ""
        recording = self._worker.recording if self._worker is not None else None
        if recording is not None and recording.trouble and recording.trouble != self._trouble_told:
            self._trouble_told = recording.trouble
            return recording.trouble
        return ""

    @property
    def observed(self) -> bool:
        """Whether the layers are on the screen."""
        return bool(self._observers)

    def observe(self, who: str, looks: bool) -> None:
        """`who` shows the layers, or no longer: only where somebody does are they looked at often."""
        (self._observers.add if looks else self._observers.discard)(who)
        if self.control is not None:
            self.control.observe(self.observed)

    def run_ended(self, live: LiveRun) -> None:
        """A run has ended and its end is on the screen."""
        if self._exit_when_done:
            from d2ltui.spec.events import exit_status

            self.leave(exit_status(live.status))

    @property
    def backlog(self) -> bool:
        """Whether the terminal has not taken yet what was sent: a slow link, flow control, a sleeping laptop.

        Textual's writer blocks the interface when its queue is full; we stop drawing long before.
        """
        writer = getattr(self._driver, "_writer_thread", None)
        queue = getattr(writer, "_queue", None)
        return queue is not None and queue.qsize() > MAX_BACKLOG

    # The way out

    def leave(self, status: int = 0) -> None:
        """Leave with an exit status; the run, if there is one, ends after its step."""
        self.stop_run()
        self.exit(return_code=status)

    def stop_run(self) -> None:
        """Ask whatever this process trains to end. A watched run goes on: it is not ours."""
        if self._worker is not None:
            self._worker.stop()
        self.measuring.stop()
        self.maps.stop()
        self.preflight.stop()

    def join(self, timeout: float) -> bool:
        """Wait for the training thread; False where it has not ended within `timeout` seconds."""
        return self._worker is None or self._worker.join(timeout)

    @property
    def owes_the_store(self) -> bool:
        """Whether the end of a run that still loads has not been stored: `join` again."""
        return self._worker is not None and self._worker.owes_the_store

    def action_interrupt(self) -> None:
        """ctrl+c: at once, with the status that a shell expects."""
        self.leave(128 + signal.SIGINT)


if TYPE_CHECKING:

    def as_host(app: D2LApp) -> Host:  # what the screens rely on: checked here
        return app

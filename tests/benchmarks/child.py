"""d2ltui itself, with its steps counted from outside: `python -m tests.benchmarks.child LOG [ARGUMENTS OF d2ltui]`.

It runs the very command, and adds one thing: when the engine tells its reader about steps (ten times a second, with
and without the interface), the time and the number of steps go into LOG. With D2LTUI_BENCH_TOGGLE=SECONDS the panes
that look inside the network are hidden and shown in turns; with D2LTUI_BENCH_SAMPLING=no, too, nothing looks at the
layers while they are hidden, not even now and then.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

from d2ltui.spec import events

RECORD = struct.Struct("=cdq")  # kind, time (monotonic), steps
KINDS = {"training": b"t", "paused": b"p"}


class StepLog:
    """Appends to a file that another process reads."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.steps = 0

    def write(self, kind: bytes, steps: int | None = None) -> None:
        """A record: steps told (s), paused (p), training (t), ended (e), panes shown (o), hidden (c), asked (a).

        A picture (i) has been made.
        """
        self.steps = self.steps if steps is None else steps
        os.write(self._file, RECORD.pack(kind, time.monotonic(), self.steps))

    def tell(self, event: events.Event) -> None:
        """What an event says."""
        if isinstance(event, events.StepsTrained):
            self.write(b"s", event.step)
        elif isinstance(event, events.StatusChanged) and event.status in KINDS:
            self.write(KINDS[event.status])
        elif isinstance(event, events.RunEnded):
            self.write(b"e")


def listen(cls: type, log: StepLog) -> None:
    """Let every call of an instance of `cls`, a sink, be logged first."""
    original: Callable[[Any, events.Event], None] = cls.__call__

    def call(self: Any, event: events.Event) -> None:
        log.tell(event)
        original(self, event)

    cls.__call__ = call  # type: ignore[method-assign]


TRAINERS: list[Any] = []  # the one that trains now


def listen_to_control(log: StepLog) -> None:
    """Log when a pause or a stop was asked for, and how many steps had been trained then."""
    from d2ltui.engine.control import Control
    from d2ltui.runner import worker

    run = worker._run

    def noting(*arguments: Any) -> None:
        from d2ltui.engine.trainer import Trainer

        class Noted(Trainer):
            def run(self) -> events.RunEnded:
                TRAINERS[:] = [self]
                return super().run()

        sys.modules["d2ltui.engine.trainer"].Trainer = Noted  # type: ignore[attr-defined]
        run(*arguments)

    def logged(original: Callable[[Control], None]) -> Callable[[Control], None]:
        def ask(self: Control) -> None:
            original(self)
            # Read at once: writing lets the training thread go on.
            log.write(b"a", steps_now(log))

        return ask

    worker._run = noting  # type: ignore[assignment]
    for name in ("pause", "stop"):
        setattr(Control, name, logged(getattr(Control, name)))


def ignore_continue() -> None:
    """A window of the measurement ends with SIGSTOP and begins with SIGCONT, which Textual takes for `fg`."""
    import d2ltui.tui  # noqa: F401, I001 - first: it says how Textual is to be
    from textual.drivers.linux_driver import LinuxDriver

    LinuxDriver._sigcont_application = lambda *_: None  # type: ignore[method-assign]


def toggle_panes(seconds: float, sampling: bool, log: StepLog) -> None:
    """Hide and show the two panes in turns, as the screen does when another pane takes their place.

    Without `sampling`, the layers are not looked at while the panes are hidden.
    """
    from d2ltui.tui.screens.main import MainScreen

    original = MainScreen.on_mount

    def on_mount(self: MainScreen) -> None:
        original(self)
        shown = True

        def toggle() -> None:
            nonlocal shown
            shown = not shown
            for name in ("activations", "gradients"):
                self.query_one(f"#{name}").display = shown
            self.host.observe("panes", shown)
            inspection = getattr(TRAINERS[0], "_inspection", None) if TRAINERS else None  # None while it loads
            if inspection is not None and not sampling:
                from d2ltui.diagnosis.probes import SAMPLE_EVERY

                prober = inspection._prober
                assert hasattr(prober, "_sample_every")
                prober._sample_every = SAMPLE_EVERY if shown else None
            log.write(b"o" if shown else b"c")

        self.set_interval(seconds, toggle)

    MainScreen.on_mount = on_mount  # type: ignore[method-assign]


def listen_to_pictures(log: StepLog) -> None:
    """Log each picture that is made (i)."""
    from d2ltui.engine.picture_desk import PictureDesk

    put = PictureDesk.put

    def logged(self: Any, made: Any) -> None:
        put(self, made)
        log.write(b"i", steps_now(log))

    PictureDesk.put = logged  # type: ignore[method-assign]


def steps_now(log: StepLog) -> int:
    """Steps of the run: known to the engine's readers ten times a second only; this is the number itself."""
    return int(TRAINERS[0].progress.step) if TRAINERS else log.steps


def toggle_picture(seconds: float, log: StepLog) -> None:
    """Show the picture in the whole terminal, and hide and show it in turns."""
    from d2ltui.tui.screens.main import MainScreen

    original = MainScreen.on_mount

    def on_mount(self: MainScreen) -> None:
        original(self)

        def toggle() -> None:
            if self._zoomed is None:
                self.action_picture()
                self.action_zoom()
            else:
                pane = self.query_one("#picture")
                pane.display = not pane.display
            log.write(b"o" if self.query_one("#picture").display else b"c")

        self.set_interval(seconds, toggle)

    MainScreen.on_mount = on_mount  # type: ignore[method-assign]


def main() -> None:
    path, *arguments = sys.argv[1:]
    log = StepLog(path)
    if arguments[:1] == ["train"]:
        from d2ltui.runner.headless import Progress

        listen(Progress, log)
    else:
        from d2ltui.history.live import LiveRun

        listen(LiveRun, log)
        listen_to_control(log)
        listen_to_pictures(log)
        ignore_continue()
        if seconds := os.environ.get("D2LTUI_BENCH_PICTURE"):
            toggle_picture(float(seconds), log)
        if seconds := os.environ.get("D2LTUI_BENCH_TOGGLE"):
            toggle_panes(float(seconds), os.environ.get("D2LTUI_BENCH_SAMPLING") != "no", log)
    from d2ltui.cli.app import main as command

    sys.argv[1:] = arguments
    command()


if __name__ == "__main__":
    main()

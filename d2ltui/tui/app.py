"""The application: what outlives its screens. It owns the worker, the charts' helper process, and the way out."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import App
from textual.filter import LineFilter

from d2ltui.charts.client import ChartClient
from d2ltui.config import RunConfig
from d2ltui.tui.keys import APP_BINDINGS
from d2ltui.tui.locale import AsciiFilter, is_utf8
from d2ltui.tui.machine import Machine
from d2ltui.tui.measuring import Measuring
from d2ltui.tui.screens.main import MainScreen

if TYPE_CHECKING:
    from d2ltui.engine.control import Control, Mode
    from d2ltui.engine.worker import Worker
    from d2ltui.live import LiveRun

# How long the way out waits for the training thread, in seconds. It answers within a step, unless it is loading.
JOIN_TIMEOUT = 1.0
MAX_BACKLOG = 2  # writes that wait for the terminal


class D2LApp(App[None]):
    """d2ltui's interface."""

    CSS_PATH = "app.tcss"
    TITLE = "d2ltui"
    BINDINGS = APP_BINDINGS

    def __init__(
        self,
        config: RunConfig,
        *,
        start: bool = False,
        exit_when_done: bool = False,
        max_fps: float = 4.0,
        ascii: bool | None = None,
    ) -> None:
        super().__init__()
        self.charts = ChartClient(on_trouble=lambda message: self.notify(message, severity="warning"))
        self.machine = Machine()
        self.max_fps = max_fps
        self.ascii = not is_utf8() if ascii is None else ascii
        self.measuring = Measuring()
        self.data_dir = config.data_dir
        self._config = config
        self._start = start
        self._exit_when_done = exit_when_done
        self._worker: Worker | None = None
        self._observed = False

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters, and ours where the locale is not UTF-8."""
        filters = list(super().get_line_filters())
        return [*filters, AsciiFilter()] if self.ascii else filters

    def on_mount(self) -> None:
        """Open the main screen; everything else waits until it is painted."""
        self.set_class(self.ascii, "-ascii")
        self._on_signals()
        self.push_screen(MainScreen(self._config))
        self.call_after_refresh(self._painted)

    def _painted(self) -> None:
        self.worker.preload()
        if self._start:
            main = self.screen_stack[-1]
            if isinstance(main, MainScreen):
                main.action_run()

    def _on_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # under test, in another thread: signals are not ours
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self.leave, 128 + number)

    # The worker

    @property
    def worker(self) -> Worker:
        """The owner of the training thread. Made after the first paint: its histories need numpy."""
        if self._worker is None:
            from d2ltui.engine.worker import Worker

            self._worker = Worker()
        return self._worker

    @property
    def live(self) -> LiveRun | None:
        """The present run, or the last one."""
        return self._worker.live if self._worker is not None else None

    @property
    def control(self) -> Control | None:
        """The present run's control; None where no run goes on."""
        return self._worker.control if self._worker is not None and self._worker.busy else None

    def start_run(self, config: RunConfig, mode: Mode) -> None:
        """End the run that there is, and begin another."""
        self.worker.start(config, mode, self._observed)

    def observe(self, observed: bool) -> None:
        """Whether the layers are on the screen: only then are they looked at often."""
        self._observed = observed
        if self.control is not None:
            self.control.observe(observed)

    def run_ended(self, live: LiveRun) -> None:
        """A run has ended and its end is on the screen."""
        if self._exit_when_done:
            from d2ltui.events import exit_status

            self.leave(exit_status(live.status))

    @property
    def backlog(self) -> bool:
        """Whether the terminal has not taken yet what was sent: a slow link, flow control, a sleeping laptop.

        Textual's writer blocks the interface when its queue is full; we stop drawing long before.
        """
        writer = getattr(self._driver, "_writer_thread", None)
        return writer is not None and writer._queue.qsize() > MAX_BACKLOG

    # The way out

    def leave(self, status: int = 0) -> None:
        """Leave with an exit status; the run, if there is one, ends after its step."""
        if self._worker is not None:
            self._worker.stop()
        self.measuring.stop()
        self.exit(return_code=status)

    def action_interrupt(self) -> None:
        """ctrl+c: at once, with the status that a shell expects."""
        self.leave(128 + signal.SIGINT)

    def action_toggle_theme(self) -> None:
        """Light or dark."""
        self.theme = "textual-light" if self.current_theme.dark else "textual-dark"

    def _print_error_renderables(self) -> None:
        """A defect of ours: one sentence, and the traceback in a file. (Textual would print it whole.)"""
        error = self._exception
        if error is None:
            super()._print_error_renderables()
            return
        with tempfile.NamedTemporaryFile("w", prefix="d2ltui-", suffix=".log", delete=False, encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
        print(
            f"d2ltui: the interface failed ({type(error).__name__}: {error}); the traceback is in {file.name}",
            file=sys.__stderr__,
        )


def run_app(config: RunConfig, *, start: bool, exit_when_done: bool, as_json: bool, max_fps: float) -> int:
    """Run the application in this terminal; returns the exit status."""
    app = D2LApp(config, start=start, exit_when_done=exit_when_done, max_fps=max_fps)
    # Before the terminal is taken: the helper's start wants untouched standard streams.
    app.charts.start()
    try:
        app.run()
    finally:
        app.charts.close()
    ended = True
    if app.live is not None:
        app.worker.stop()
        ended = app.worker.join(JOIN_TIMEOUT)
        if as_json and exit_when_done and app.live.ended is not None:
            from d2ltui.events import to_json

            print(to_json(app.live.ended.summary), flush=True)
    status = app.return_code or 0
    if not ended or any(thread.name.startswith("d2ltui-") for thread in threading.enumerate()):
        # A thread is still inside an import or a download. The terminal is restored; there is nothing to wait for.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status

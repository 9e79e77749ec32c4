"""`d2ltui train`: the same training without the interface."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import time
from types import FrameType
from typing import TextIO

from d2ltui import events
from d2ltui.config import RunConfig
from d2ltui.engine.control import Control
from d2ltui.events import exit_status, to_json

BAR_WIDTH = 24
REDRAW_EVERY = 0.2


class Progress:
    """A bar on a terminal, plain lines elsewhere; and a table of epochs on standard output."""

    def __init__(self, config: RunConfig, out: TextIO, err: TextIO) -> None:
        self._config, self._out, self._err = config, out, err
        self._bar = err.isatty()
        self._drawn = 0.0
        self._bar_shown = False
        self._told: str | None = None
        self._classes = config.task == "classification"

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.Loading():
                self._loading(event)
            case events.RunStarted():
                layers = " · ".join(layer.title for layer in event.layers)
                parameters = sum(layer.parameters for layer in event.layers)
                self._line(
                    f"{event.config.model} ({event.config.implementation}) on {event.config.dataset}: "
                    f"{event.num_train} train + {event.num_val} validation samples"
                )
                self._line(f"{layers}: {parameters} parameters; {event.device}, data {event.residence}")
                metric = "accuracy" if self._classes else "R²"
                self._row("epoch", "train loss", "val loss", f"train {metric}", f"val {metric}", "seconds")
            case events.StepsTrained():
                self._draw(event.step, event.seconds)
            case events.EpochEnded():
                self._clear()
                figures = (event.train_loss, event.val_loss, event.train_metric, event.val_metric)
                self._row(str(event.epoch), *(f"{figure:.4g}" for figure in figures), f"{event.seconds:.2f}")
                if not self._bar and not self._out.isatty():
                    self._line(
                        f"epoch {event.epoch}/{self._config.epochs}: train loss {event.train_loss:.4g}, "
                        f"val loss {event.val_loss:.4g}"
                    )
            case events.RunEnded():
                self._clear()
                self._line(f"{event.status}: {event.message}")

    def _row(self, *cells: str) -> None:
        widths = (7, 11, 11, 15, 15, 9)
        print(
            "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)),
            file=self._out,
            flush=True,
        )

    def _line(self, text: str) -> None:
        self._clear()
        print(text, file=self._err, flush=True)

    def _loading(self, event: events.Loading) -> None:
        if not self._bar:
            kind = event.message.partition(",")[0]
            if kind != self._told:
                self._told = kind
                self._line(event.message)
            return
        if time.monotonic() - self._drawn >= REDRAW_EVERY or event.fraction is None:
            self._show(event.message if event.fraction is None else f"{event.message} {self._blocks(event.fraction)}")

    def _draw(self, step: int, seconds: float) -> None:
        if not self._bar or time.monotonic() - self._drawn < REDRAW_EVERY:
            return
        config = self._config
        rate = step / seconds if seconds > 0 else 0.0
        left = (config.total_steps - step) / rate if rate else 0.0
        epoch = min(config.epochs, step // config.steps_per_epoch + 1)
        self._show(
            f"epoch {epoch}/{config.epochs} {self._blocks(step / config.total_steps)} "
            f"{rate:.0f} steps/s, {left:.0f} s left"
        )

    def _blocks(self, fraction: float) -> str:
        done = round(min(1.0, fraction) * BAR_WIDTH)
        return "[" + "#" * done + "." * (BAR_WIDTH - done) + "]"

    def _show(self, text: str) -> None:
        self._drawn = time.monotonic()
        self._bar_shown = True
        try:
            width = os.get_terminal_size(self._err.fileno()).columns
        except OSError:
            width = 80
        print(f"\r\x1b[K{text[: max(1, width - 1)]}", end="", file=self._err, flush=True)

    def _clear(self) -> None:
        if self._bar_shown:
            self._bar_shown = False
            print("\r\x1b[K", end="", file=self._err, flush=True)


class _Guard:
    """A sink around another: output that cannot be written (`| head -1`, a full disk) stops the run."""

    def __init__(self, sink: events.Sink, control: Control) -> None:
        self._sink, self._control = sink, control
        self.error: OSError | None = None

    def __call__(self, event: events.Event) -> None:
        if self.error is not None:
            return
        try:
            self._sink(event)
        except OSError as error:
            self.error = error
            self._control.stop()


def train(config: RunConfig, as_json: bool, quiet: bool) -> int:
    """Train `config` in this thread and print about it; returns the exit status.

    SIGINT and SIGTERM end the run after the current step; the exit status is then 128 + the signal's number.
    """
    control = Control()
    caught: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if caught:  # asked twice: do not wait for the step
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        caught.append(number)
        control.stop()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        from d2ltui.engine.device import DeviceError, select  # PyTorch: seconds
        from d2ltui.engine.trainer import Trainer

        out, err = (stream or io.StringIO() for stream in (sys.stdout, sys.stderr))
        try:
            select(config.device)
        except DeviceError as error:
            print(f"d2ltui: {error}", file=err)
            return 2
        guard = _Guard(Progress(config, out, err), control)
        ended = Trainer(config, control, [] if quiet else [guard]).run()
        status = 128 + caught[0] if caught else exit_status(ended.status)
        try:
            if quiet and ended.status in ("failed", "diverged"):
                print(f"d2ltui: {ended.message}", file=err)
            if as_json:
                print(to_json(ended.summary), file=out, flush=True)
            if guard.error is not None:
                raise guard.error
        except OSError as error:
            status = _unwritable(error, err) or status
        return status
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _unwritable(error: OSError, err: TextIO) -> int:
    """Says what is wrong with the output, unless its reader has just had enough; returns the exit status."""
    if not isinstance(error, BrokenPipeError):
        with contextlib.suppress(OSError):
            print(f"d2ltui: the output cannot be written ({error.strerror})", file=err)
    # What is still buffered has nowhere to go; the interpreter must not try again when it ends.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return 0 if isinstance(error, BrokenPipeError) else 1

"""`d2ltui train`: the same training without the interface."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import msgspec

from d2ltui.diagnosis.causes import command_with
from d2ltui.engine.control import Control
from d2ltui.runner import launch
from d2ltui.spec import events, terminal
from d2ltui.spec.config import RunConfig
from d2ltui.spec.events import exit_status, to_json
from d2ltui.spec.findings import all_well, finding_values, findings_in_words, of_losses
from d2ltui.spec.header import epoch_columns, header_of
from d2ltui.spec.language import _
from d2ltui.spec.numbers import clock, fixed, number
from d2ltui.spec.output import unwritable
from d2ltui.spec.signals import OnHangup, Signals
from d2ltui.spec.text import counted, written_to
from d2ltui.spec.text import pace as pace_of
from d2ltui.spec.width import right

if TYPE_CHECKING:
    from d2ltui.runner.recording import RunRecording

ALARM_STATUS = 3  # of `train --strict`
BAR_WIDTH = 24
REDRAW_EVERY = 0.2
MAX_TOLD = 3  # changes of threads that are told again at the end
OPEN_TIMEOUT = 5.0  # seconds that a slow disk may take before the run's name is told


def write_line(stream: TextIO, text: str) -> None:
    """A line in one piece: print() writes its end apart, and another thread's line may come between."""
    stream.write(f"{written_to(stream, text)}\n")
    stream.flush()


def has_bar(err: TextIO) -> bool:
    """Whether progress is a bar: on a terminal where a line can be erased."""
    return err.isatty() and terminal.moves_cursor()


def _same_place(out: TextIO, err: TextIO) -> bool:
    """Whether both streams go into one file, pipe or terminal: `train 2>&1 | tee log`."""
    try:
        return os.path.samestat(os.fstat(out.fileno()), os.fstat(err.fileno()))
    except (OSError, ValueError):  # closed, or no file at all
        return False


class Progress:
    """A bar on a terminal, plain lines elsewhere; and a table of epochs on standard output."""

    def __init__(self, config: RunConfig, out: TextIO, err: TextIO) -> None:
        self._header, self._out, self._err = header_of(config), out, err
        self._bar = has_bar(err)
        self._tells_epochs = not self._bar and not out.isatty() and not _same_place(out, err)
        self._drawn = 0.0
        self._bar_shown = False
        self._told: str | None = None
        self._thread_changes: list[events.ThreadsChanged] = []

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.Loading():
                self._loading(event)
            case events.RunStarted():
                self._header = msgspec.structs.replace(self._header, steps_per_epoch=event.steps_per_epoch)
                layers = " · ".join(layer.title for layer in event.layers)
                parameters = sum(layer.parameters for layer in event.layers)
                self._line(
                    _(
                        "{model} ({implementation}) on {dataset}: {num_train:,} train + {num_val:,} validation samples"
                    ).format(
                        model=event.config.model,
                        implementation=event.config.implementation,
                        dataset=event.config.dataset,
                        num_train=event.num_train,
                        num_val=event.num_val,
                    )
                )
                where = f"{event.device}, {counted(event.threads, 'thread')}" if event.device == "cpu" else event.device
                self._line(
                    _("{layers}: {parameters:,} parameters; {where}, data {residence}").format(
                        layers=layers, parameters=parameters, where=where, residence=event.residence
                    )
                )
                self._row(*epoch_columns(self._header))
            case events.StepsTrained():
                self._draw(event.step, event.seconds)
            case events.EpochEnded():
                self.clear()
                figures = (event.train_loss, event.val_loss, event.train_metric, event.val_metric)
                self._row(str(event.epoch), *(number(figure, 4) for figure in figures), fixed(event.seconds))
                if self._tells_epochs:
                    self._line(
                        _("epoch {epoch}/{epochs}: train loss {train_loss}, val loss {val_loss}").format(
                            epoch=event.epoch,
                            epochs=self._header.epochs,
                            train_loss=number(event.train_loss, 4),
                            val_loss=number(event.val_loss, 4),
                        )
                    )
            case events.ThreadsChanged():
                self._thread_changes.append(event)
                self._line(event.sentence)
            case events.ObserverFailed() | events.Noted():
                self._line(event.sentence)
            case events.RunEnded():
                self.clear()
                if self._thread_changes:  # what was said among the epochs may be far above by now
                    self._line("; ".join(change.sentence for change in self._thread_changes[-MAX_TOLD:]))
                # "stopped after step 12" says so itself.
                self._line(event.message if event.status == "stopped" else f"{event.status}: {event.message}")

    def _row(self, *cells: str) -> None:
        widths = (7, 11, 11, 15, 15, 9)
        print(
            "".join(right(written_to(self._out, cell), width) for cell, width in zip(cells, widths, strict=True)),
            file=self._out,
            flush=True,
        )

    def _line(self, text: str) -> None:
        self.clear()
        write_line(self._err, text)

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
        header = self._header
        total = header.total_steps or step
        pace = step / seconds if seconds > 0 else 0.0
        left = (total - step) / pace if pace else 0.0
        self._show(
            _("epoch {epoch_of}/{epochs} {blocks} {pace}, {clock} left").format(
                epoch_of=header.epoch_of(step + 1),
                epochs=header.epochs,
                blocks=self._blocks(step / total),
                pace=pace_of(pace),
                clock=clock(left),
            )
        )

    def _blocks(self, fraction: float) -> str:
        done = round(min(1.0, fraction) * BAR_WIDTH)
        return "[" + "#" * done + "." * (BAR_WIDTH - done) + "]"

    def _show(self, text: str) -> None:
        self._drawn = time.monotonic()
        self._bar_shown = True
        columns, __ = terminal.size(self._err)
        text = written_to(self._err, text)[: max(1, columns - 1)]
        print(f"\r\x1b[K{text}", end="", file=self._err, flush=True)

    def clear(self) -> None:
        """Erase the bar, where there is one."""
        if self._bar_shown:
            self._bar_shown = False
            print("\r\x1b[K", end="", file=self._err, flush=True)


class _Findings:
    """A sink that keeps what is found in the run of `config`, the cause first."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self.found: tuple[events.Finding, ...] = ()
        self._looked_at: tuple[str, ...] = ()

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.FindingsChanged):
            self.found, self._looked_at = event.findings, event.looked_at

    @property
    def alarmed(self) -> bool:
        """Whether one of them is an alarm."""
        return any(finding.severity == "alarm" for finding in self.found)

    def tell(self, err: TextIO, *, well: bool) -> None:
        """Print what the run is sick of: the cause, why, what to try, and what follows from it.

        With `well`, of a run that is sick of nothing, what was looked at, and what is noted of its losses.
        """
        sentence = all_well(self.found, self._looked_at) if well else ""
        if sentence:
            write_line(err, sentence)
        told = [one for one in self.found if one.severity != "note" or (sentence and of_losses(one))]
        for line in findings_in_words(told, partial(command_with, self._config)):
            write_line(err, line)
        err.flush()


class Spoken:
    """A sink that tells of the run line by line on standard output."""

    def __init__(self, config: RunConfig, out: TextIO) -> None:
        from d2ltui.history.live import LiveRun
        from d2ltui.history.speech import Speaker

        self._live, self._out = LiveRun(config), out
        self._speaker = Speaker(self._live)

    def __call__(self, event: events.Event) -> None:
        self._live(event)
        if not isinstance(event, events.StepsTrained):
            for line in self._speaker.news():
                write_line(self._out, line)


class _Guard:
    """A sink around another: output that cannot be written stops the run instead of breaking it."""

    def __init__(self, sink: events.Sink, control: Control, signals: Signals) -> None:
        self._sink, self._control, self._signals = sink, control, signals
        self.error: OSError | None = None
        self._unseen = False

    def __call__(self, event: events.Event) -> None:
        if self.error is not None or self._unseen:
            return
        try:
            self._sink(event)
        except OSError as error:
            if error.errno == errno.EIO and self._signals.lost_terminal():
                self._unseen = True  # a terminal that vanished before the signal came
                return
            self.error = error
            self._control.stop()


def guarded(sink: events.Sink, control: Control, signals: Signals) -> events.Sink:
    """`sink`, whose failing output ends the run."""
    return _Guard(sink, control, signals)


class StderrReporter:
    """Prints what goes wrong with storing, from whatever thread."""

    def __init__(self, err: TextIO) -> None:
        self._err = err

    def __call__(self, sentence: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            begin = "\r\x1b[K" if has_bar(self._err) else ""
            write_line(self._err, f"{begin}d2ltui: {sentence}")


def run(
    config: RunConfig,
    control: Control,
    sinks: Sequence[events.Sink],
    recording: RunRecording | None,
    *,
    trials: bool = True,
    give_up: Callable[[events.Finding], None] | None = None,
) -> events.RunEnded:
    """Train `config` in this thread, store it with `recording`, and say what is wrong with it.

    With `trials`, the cause is looked for by training with other settings, too. With `give_up`, a run that will not
    learn any more is stopped, and `give_up` told why.
    """
    stored = [] if recording is None else [recording.store]
    try:
        told: list[events.Sink] = [*sinks, *stored]
        return launch.train(config, control, told, recording, diagnose=True, trials=trials, give_up=give_up)
    finally:
        while recording is not None and not recording.close():
            pass  # the last checkpoint is on its way; a second signal waits for nothing


def train(
    config: RunConfig,
    as_json: bool,
    quiet: bool,
    *,
    strict: bool = False,
    store: bool = False,
    on_hangup: OnHangup = "continue",
    resume: Path | None = None,
    speak: bool = False,
) -> int:
    """Train `config` in this thread and print about it; returns the exit status.

    A signal ends the run after the current step (see `Signals`); the exit status is then 128 + the signal's number. So
    does a reader of standard output that has had enough, as in `train | head`: the run is stopped, and the status 141.
    With `strict` it is 3 where the run finished and its last diagnosis has an alarm.
    With `store` the run is stored; `resume` is the directory of a stored one to go on with, and `config` its own.
    With `speak` it is told line by line, as a screen reader needs it.

    Raises:
        StoreError: where `resume` cannot go on.
    """
    control = Control()
    out, err = (stream or io.StringIO() for stream in (sys.stdout, sys.stderr))
    with Signals(on_hangup) as signals:
        signals.watch(control)
        recording: RunRecording | None = None
        if resume is not None:
            from d2ltui.runner.recording import RunRecording

            recording = RunRecording.resume(resume, control, on_trouble=StderrReporter(err))
        from d2ltui.engine.device import DeviceError, candidates

        try:
            candidates(config)
        except DeviceError as error:
            write_line(err, f"d2ltui: {error}")
            if recording is not None:
                recording.close()
            return 2
        if store and recording is None:
            from d2ltui.runner.recording import RunRecording

            recording = RunRecording.new(config, control, on_trouble=StderrReporter(err))
            if recording.store.wait_opened(OPEN_TIMEOUT) and not quiet:
                StderrReporter(err)(_("the run is stored as {name}").format(name=recording.store.name))
        guard = _Guard(Spoken(config, out) if speak else Progress(config, out, err), control, signals)
        findings = _Findings(config)
        ended = run(config, control, [findings] if quiet else [guard, findings], recording)
        status = signals.status or exit_status(ended.status)
        if strict and ended.status == "finished" and not status and findings.alarmed:
            status = ALARM_STATUS
        try:
            if quiet and ended.status in ("failed", "diverged"):
                write_line(err, f"d2ltui: {ended.message}")
            if guard.error is None and not speak:
                findings.tell(err, well=not quiet)
            if as_json:
                name = recording.store.name if recording is not None else None
                told = {"findings": [finding_values(finding) for finding in findings.found]}
                print(to_json({**ended.summary, **told, **({"run": name} if name else {})}), file=out, flush=True)
            if guard.error is not None:
                raise guard.error
        except OSError as error:
            if isinstance(error, BrokenPipeError) and ended.status == "stopped":
                StderrReporter(err)(_("nobody is reading the output any more: {message}").format(message=ended.message))
            status = unwritable(error, err)
        return signals.status or status

"""The panes that look inside the network, and how soon a run does what it is told."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from .context import Context, NotMeasured
from .figures import Figure, interval, percentile
from .race import WARM_UP, EndedEarly, Point, rate, read_log
from .terminal import Terminal
from .watching import wait_for_steps

TURN = 2.0
TURNS = 28
PRESSES = 24
SHOWN_TIMEOUT = 5.0


def panes(context: Context) -> list[Figure]:
    """The application with the activation and the gradient pane open, and with both closed, in turns.

    Closed, the layers are still looked at every other second, for the findings; then not even that.
    """
    figures = []
    turns = TURNS * context.repeat
    for model in context.models:
        for sampling, what in (("yes", "closed"), ("no", "closed and no sampling")):
            name = f"activation and gradient pane open ÷ {what}, {model}"
            try:
                values = context.with_run(model, turns * TURN + 4, partial(_toggled, sampling, turns))
            except NotMeasured as why:
                figures.append(Figure(name, missing=str(why)))
                continue
            figures.append(Figure(name, values, at_least=0.97))
    return figures


def _toggled(sampling: str, turns: int, run: list[str]) -> list[float]:
    log = Path(tempfile.mkdtemp(prefix="d2ltui-benchmark-")) / "steps"
    toggling = {"D2LTUI_BENCH_TOGGLE": str(TURN), "D2LTUI_BENCH_SAMPLING": sampling}
    os.environ.update(toggling)
    terminal = Terminal([sys.executable, "-m", "tests.benchmarks.child", str(log), "--start", *run])
    for name in toggling:
        del os.environ[name]
    try:
        wait_for_steps(log, 64)
        time.sleep(turns * TURN + 1)
    finally:
        terminal.close()
    return open_to_closed(read_log(log))


def open_to_closed(points: list[Point]) -> list[float]:
    """The ratio of each turn with the panes open to the one after or before it without."""
    first = next(point.time for point in points if point.kind == "s")
    marks = [point for point in points if point.kind in "oc" and point.time > first]
    speeds = [(mark.kind, rate(points, mark.time + WARM_UP, after.time)) for mark, after in itertools.pairwise(marks)]
    found = []
    for (kind, speed), (_, other) in zip(speeds[::2], speeds[1::2], strict=False):
        found.append(speed / other if kind == "o" else other / speed)
    return found


def obedience(context: Context) -> list[Figure]:
    """Space while training: until the thread stands, until the screen says so, and how many steps that took."""
    figures = []
    for model in context.models:
        name = f"pause answered, {model}"
        try:
            obeyed, shown, steps, stopped = context.with_run(model, 0.8 * PRESSES + 8, _obedience)
        except NotMeasured as why:
            figures.append(Figure(name, missing=str(why)))
            continue
        for what, values in (("until training stands", obeyed), ("until the screen says so", shown)):
            p95 = percentile(values, 0.95)
            note = f"p95 of {len(values)} presses; maximum {max(values):.0f} ms"
            half_width = interval(values, 0.95)
            figures.append(Figure(f"{name}: {what}", values, None, 100, "ms", note, p95, half_width=half_width))
        most = max(steps)
        figures.append(Figure(f"{name}: steps begun after the request", steps, at_most=1, value=most, half_width=0))
        figures.append(Figure(f"stop answered, {model}: until the run has ended", [stopped], at_most=100, unit="ms"))
    return figures


def _obedience(run: list[str]) -> tuple[list[float], list[float], list[float], float]:
    log = Path(tempfile.mkdtemp(prefix="d2ltui-benchmark-")) / "steps"
    terminal = Terminal([sys.executable, "-m", "tests.benchmarks.child", str(log), "--start", *run])
    obeyed, shown, steps = [], [], []
    try:
        wait_for_steps(log, 64)
        time.sleep(1.5)
        for turn in range(PRESSES):
            seen = len(terminal.chunks)
            pressed = terminal.press(" ")
            shown.append(1000 * (_shown(terminal, seen, "paused") - pressed))
            time.sleep(0.2)
            steps_before, paused, steps_then = _pause(read_log(log), pressed)
            obeyed.append(1000 * (paused - pressed))
            steps.append(float(steps_then - steps_before))
            seen = len(terminal.chunks)
            terminal.press(" ")
            _shown(terminal, seen, "training")
            time.sleep(0.2 + 0.017 * turn)  # in no step with the frames
        return obeyed, shown, steps, _stop(terminal, log)
    finally:
        terminal.close()


def _pause(points: list[Point], pressed: float) -> tuple[int, float, int]:
    """The steps when the pause was asked for, when the engine paused, and the steps then.

    Raises:
        EndedEarly: where the run was over.
        RuntimeError: where it did not.
    """
    if points[-1].kind == "e":
        raise EndedEarly
    asked = next((point for point in points if point.kind == "a" and point.time >= pressed), None)
    paused = next((point for point in points if point.kind == "p" and point.time >= pressed), None)
    if asked is None or paused is None:
        raise RuntimeError("the key for pause was not obeyed")
    return asked.steps, paused.time, paused.steps


def _shown(terminal: Terminal, since: int, word: str) -> float:
    """When the screen said so."""
    wanted, kept, at = word.encode(), b"", since
    end = time.monotonic() + SHOWN_TIMEOUT
    while time.monotonic() < end:
        for when, chunk in terminal.chunks[at:]:
            at += 1
            kept = kept[-len(wanted) :] + chunk
            if wanted in kept:
                return when
        time.sleep(0.005)
    raise RuntimeError(f"the screen did not say {word!r} within {SHOWN_TIMEOUT:g} s")


def _stop(terminal: Terminal, log: Path) -> float:
    """Milliseconds from the key for stop to the end of the run."""
    pressed = terminal.press("x")
    time.sleep(1.0)
    ended = next((point for point in read_log(log) if point.kind == "e" and point.time >= pressed), None)
    if ended is None:
        raise RuntimeError("the key for stop was not obeyed")
    return 1000 * (ended.time - pressed)

"""The picture of the decision regions: what it costs a run, how often it comes, and how soon after its key."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from pathlib import Path

from .context import Context
from .figures import Figure, interval, percentile
from .inside import open_to_closed
from .race import Point, read_log
from .terminal import Terminal
from .watching import wait_for_steps

RUN = ("--model", "mlp", "--dataset", "moons", "--epochs", "1000000")
COLUMNS, LINES = 64, 37  # a zoomed picture has 60 × 30 cells, and a line below them
TURN, TURNS = 2.0, 24
PRESSES = 12
ANSWER = 3.0  # seconds until which a picture counts as an answer


def picture(context: Context) -> list[Figure]:
    """While moons trains, with the picture shown and hidden in turns; then its key, also when the run is over."""
    speeds, rates = _toggled(TURNS * context.repeat)
    training, paused, finished = _answers()
    figures = [
        Figure("moons trained with its picture ÷ without", speeds, at_least=0.97),
        Figure("pictures of 60 × 30 cells while moons trains", rates, at_least=2, unit="a second"),
    ]
    for what, values in (("training", training), ("paused", paused), ("finished", finished)):
        p95, width = percentile(values, 0.95), interval(values, 0.95)
        note = f"p95 of {len(values)} presses; maximum {max(values):.0f} ms"
        figures.append(
            Figure(f"key to picture, {what}", values, at_most=300, unit="ms", note=note, value=p95, half_width=width)
        )
    return figures


def _start(log: Path, *run: str) -> Terminal:
    child = [sys.executable, "-m", "tests.benchmarks.child", str(log), "--start", *run]
    return Terminal(child, COLUMNS, LINES)


def _log() -> Path:
    return Path(tempfile.mkdtemp(prefix="d2ltui-benchmark-")) / "steps"


def _toggled(turns: int) -> tuple[list[float], list[float]]:
    """For each turn the speed with the picture by that without; and pictures a second while it was shown."""
    log = _log()
    os.environ["D2LTUI_BENCH_PICTURE"] = str(TURN)
    try:
        terminal = _start(log, *RUN)
    finally:
        del os.environ["D2LTUI_BENCH_PICTURE"]
    try:
        wait_for_steps(log, 64)
        time.sleep(turns * TURN + 1)
    finally:
        terminal.close()
    points = read_log(log)
    marks = [point for point in points if point.kind in "oc"]
    made = [point.time for point in points if point.kind == "i"]
    rates = [
        sum(mark.time <= when < after.time for when in made) / (after.time - mark.time)
        for mark, after in itertools.pairwise(marks)
        if mark.kind == "o"
    ]
    return open_to_closed(points), rates


def _answers() -> tuple[list[float], list[float], list[float]]:
    """Milliseconds from the key to the first bytes after the picture was made: training, paused, finished."""
    log = _log()
    terminal = _start(log, *RUN)
    try:
        wait_for_steps(log, 64)
        training = _presses(terminal, log)
        terminal.press(" ")
        time.sleep(1.0)
        paused = _presses(terminal, log)
    finally:
        terminal.close()
    log = _log()
    terminal = _start(log, *RUN[:-1], "3")
    try:
        while not any(point.kind == "e" for point in read_log(log)):
            time.sleep(0.05)
        time.sleep(1.0)
        finished = _presses(terminal, log)
    finally:
        terminal.close()
    return training, paused, finished


def _presses(terminal: Terminal, log: Path) -> list[float]:
    found = []
    for turn in range(PRESSES):
        pressed = terminal.press("p")
        made = _first(log, pressed)
        time.sleep(0.3 + 0.017 * turn)  # in no step with the frames
        # Where it is the one that was there before, nothing more is sent.
        shown = next((when for when, _ in list(terminal.chunks) if when >= made.time), made.time)
        found.append(1000 * (shown - pressed))
        terminal.press("p")
        time.sleep(0.4)
    return found


def _first(log: Path, since: float) -> Point:
    """The first picture that was made after `since`."""
    end = time.monotonic() + ANSWER
    while time.monotonic() < end:
        found = next((point for point in read_log(log) if point.kind == "i" and point.time >= since), None)
        if found is not None:
            return found
        time.sleep(0.005)
    raise RuntimeError(f"no picture was made within {ANSWER:g} s of its key")

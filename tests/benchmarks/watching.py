"""What watching takes while a run goes on: processor time of the interface's thread, bytes to the terminal."""

from __future__ import annotations

import functools
import sys
import tempfile
import time
from pathlib import Path

import psutil

from .context import Context, NotMeasured
from .figures import Figure
from .race import START_TIMEOUT, EndedEarly, read_log
from .terminal import Terminal, cpu_seconds

WINDOWS, WINDOW = 8, 2.0
FPS = "2"


@functools.lru_cache
def watch(context: Context, model: str) -> tuple[list[float], list[float], list[float]]:
    """Percent of a core (interface's thread; charts' helper), and KB/s, for each window of a run at 2 frames/s."""
    return context.with_run(model, WINDOWS * WINDOW + 3, _watch)


def _watch(run: list[str]) -> tuple[list[float], list[float], list[float]]:
    log = Path(tempfile.mkdtemp(prefix="d2ltui-benchmark-")) / "steps"
    child = [sys.executable, "-m", "tests.benchmarks.child", str(log)]
    terminal = Terminal([*child, "--start", "--max-fps", FPS, *run])
    thread, helper, sent = [], [], []
    try:
        wait_for_steps(log, 64)
        time.sleep(1.0)
        helpers = psutil.Process(terminal.pid).children()
        for _ in range(WINDOWS):
            before = time.monotonic(), cpu_seconds(terminal.pid), sum(map(_busy, helpers)), terminal.count
            time.sleep(WINDOW)
            after = time.monotonic(), cpu_seconds(terminal.pid), sum(map(_busy, helpers)), terminal.count
            seconds, *differences = (new - old for new, old in zip(after, before, strict=True))
            thread.append(100 * differences[0] / seconds)
            helper.append(100 * differences[1] / seconds)
            sent.append(differences[2] / seconds / 1000)
        if read_log(log)[-1].kind == "e":
            raise EndedEarly
    finally:
        terminal.close()
    return thread, helper, sent


def _busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def wait_for_steps(log: Path, steps: int) -> None:
    """Until so many steps have been told.

    Raises:
        EndedEarly: where the run is over already.
        TimeoutError: where they are not.
    """
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        points = read_log(log)
        if any(point.kind == "e" for point in points):
            raise EndedEarly
        if any(point.kind == "s" and point.steps >= steps for point in points):
            return
        time.sleep(0.05)
    raise TimeoutError("the application did not begin to train")


def interface_cpu(context: Context) -> list[Figure]:
    """The interface's thread, at 2 frames a second."""
    figures = []
    for model in context.models:
        name = f"interface's thread at {FPS} frames/s, {model}"
        try:
            thread, helper, _ = watch(context, model)
        except NotMeasured as why:
            figures.append(Figure(name, missing=str(why)))
            continue
        figures.append(Figure(name, thread, at_most=3, unit="% of a core"))
        figures.append(Figure(f"charts' helper process at {FPS} frames/s, {model}", helper, unit="% of a core"))
    return figures


def bytes_sent(context: Context) -> list[Figure]:
    """What goes down the SSH link, at 2 frames a second."""
    figures = []
    for model in context.models:
        name = f"sent to the terminal at {FPS} frames/s, {model}"
        try:
            sent = watch(context, model)[2]
        except NotMeasured as why:
            figures.append(Figure(name, missing=str(why)))
            continue
        figures.append(Figure(name, sent, at_most=10, unit="KB/s"))
    return figures

"""What watching takes while a run goes on: processor time of the interface's thread, bytes to the terminal."""

from __future__ import annotations

import functools
import sys
import tempfile
import time
from pathlib import Path

from .context import Context, NotMeasured
from .figures import Figure
from .race import START_TIMEOUT, EndedEarly, read_log
from .terminal import Terminal, cpu_seconds

WINDOWS, WINDOW = 8, 2.0
FPS = "2"


@functools.lru_cache
def watch(context: Context, model: str) -> tuple[list[float], list[float]]:
    """Percent of a core that the interface's thread takes, and KB/s, for each window of a run at 2 frames/s."""
    return context.with_run(model, WINDOWS * WINDOW + 3, _watch)


def _watch(run: list[str]) -> tuple[list[float], list[float]]:
    log = Path(tempfile.mkdtemp(prefix="d2ltui-benchmark-")) / "steps"
    child = [sys.executable, "-m", "tests.benchmarks.child", str(log)]
    terminal = Terminal([*child, "--start", "--max-fps", FPS, *run])
    thread, sent = [], []
    try:
        wait_for_steps(log, 64)
        time.sleep(1.0)
        for _ in range(WINDOWS):
            before = time.monotonic(), cpu_seconds(terminal.pid), terminal.count
            time.sleep(WINDOW)
            after = time.monotonic(), cpu_seconds(terminal.pid), terminal.count
            seconds, *differences = (new - old for new, old in zip(after, before, strict=True))
            thread.append(100 * differences[0] / seconds)
            sent.append(differences[1] / seconds / 1000)
        if read_log(log)[-1].kind == "e":
            raise EndedEarly
    finally:
        terminal.close()
    return thread, sent


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
            thread, _ = watch(context, model)
        except NotMeasured as why:
            figures.append(Figure(name, missing=str(why)))
            continue
        figures.append(Figure(name, thread, at_most=3, unit="% of a core"))
    return figures


def bytes_sent(context: Context) -> list[Figure]:
    """What goes down the SSH link, at 2 frames a second."""
    figures = []
    for model in context.models:
        name = f"sent to the terminal at {FPS} frames/s, {model}"
        try:
            _, sent = watch(context, model)
        except NotMeasured as why:
            figures.append(Figure(name, missing=str(why)))
            continue
        figures.append(Figure(name, sent, at_most=10, unit="KB/s"))
    return figures

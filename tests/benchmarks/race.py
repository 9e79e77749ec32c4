"""Training speeds compared: every side is a process of its own, and they run in turns.

All sides are started, train for a moment, and are stopped (SIGSTOP, with all their children). Then each in its turn
goes on for WINDOW seconds, for several rounds. What else happens on the machine meets all sides alike, and a ratio is
formed between windows of the same round.
"""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from .child import RECORD
from .terminal import ROOT, Terminal, end_tree, environment

WINDOW = 2.0
WARM_UP = 0.25  # at the beginning of a window, not counted: caches, and the work that fell due meanwhile
START_TIMEOUT = 180.0


class EndedEarly(Exception):
    """The run was over before the measurement."""


class Point(NamedTuple):
    """A record of the step log."""

    kind: str
    time: float
    steps: int


def read_log(path: Path) -> list[Point]:
    """What a side has told so far."""
    data = path.read_bytes() if path.exists() else b""
    whole = len(data) - len(data) % RECORD.size
    return [Point(kind.decode(), when, steps) for kind, when, steps in RECORD.iter_unpack(data[:whole])]


def rate(points: Sequence[Point], begin: float, end: float) -> float:
    """Steps a second between two times: from the first record in between to the last.

    Raises:
        EndedEarly: where the run had ended by then.
        ValueError: where there are fewer than two records.
    """
    if points and points[-1].kind == "e" and points[-1].time <= end:
        raise EndedEarly
    inside = [point for point in points if point.kind == "s" and begin <= point.time <= end]
    if len(inside) < 2:
        raise ValueError(f"{len(inside)} records in a window of {end - begin:.1f} s are too few")
    return (inside[-1].steps - inside[0].steps) / (inside[-1].time - inside[0].time)


class Side:
    """One of the compared: `headless`, `live-2` (the application at 2 frames/s), `live-4`, or a loop of `loops`."""

    def __init__(self, name: str, run: Sequence[str]) -> None:
        self.name = name
        self.log = Path(tempfile.mkdtemp(prefix="d2ltui-benchmark-")) / "steps"
        self.terminal: Terminal | None = None
        child = [sys.executable, "-m", "tests.benchmarks.child", str(self.log)]
        if name.startswith("live"):
            fps = name.partition("-")[2]
            self.terminal = Terminal([*child, "--start", "--max-fps", fps, *run])
            self.process = self.terminal.process
        else:
            command = [*child, "train", *run]
            if name != "headless":
                command = [sys.executable, "-m", "tests.benchmarks.loops", str(self.log), name, *run]
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE if name != "headless" else subprocess.DEVNULL,
                start_new_session=True,
            )
        self._tree: list[psutil.Process] = []

    def wait_until_training(self, steps: int = 64) -> None:
        """Until some steps have been told.

        Raises:
            RuntimeError: where the process ends instead.
        """
        end = time.monotonic() + START_TIMEOUT
        while time.monotonic() < end:
            if any(point.kind == "s" and point.steps >= steps for point in read_log(self.log)):
                time.sleep(0.5)
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        if any(point.kind == "e" for point in read_log(self.log)):
            raise EndedEarly
        raise RuntimeError(f"{self.name} did not begin to train: {self._last_words()}")

    def _last_words(self) -> str:
        if self.terminal is not None:
            return b"".join(chunk for _, chunk in self.terminal.chunks)[-800:].decode(errors="replace")
        return self.process.stderr.read().decode()[-800:] if self.process.stderr and self.process.poll() else ""

    def signal(self, number: int) -> None:
        """To the process and all its children: the charts' helper, wandb's service, an epoch's loading workers."""
        if number == signal.SIGSTOP:
            with contextlib.suppress(psutil.NoSuchProcess):
                main = psutil.Process(self.process.pid)
                main.suspend()  # before it is asked for its children, so that there are no more of them
                self._tree = [main, *main.children(recursive=True)]
        for process in self._tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def window(self) -> float:
        """Go on for WINDOW seconds; the speed, in steps a second."""
        began = time.monotonic()
        self.signal(signal.SIGCONT)
        time.sleep(WINDOW)
        self.signal(signal.SIGSTOP)
        return rate(read_log(self.log), began + WARM_UP, time.monotonic())

    def close(self) -> None:
        """End the process."""
        if self.terminal is not None:
            self.terminal.close()
        else:
            end_tree(self.process)


def race(names: Sequence[str], run: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Steps a second of each side, one for each round."""
    sides: list[Side] = []
    speeds: dict[str, list[float]] = {name: [] for name in names}
    try:
        for name in names:
            side = Side(name, run)
            sides.append(side)
            side.wait_until_training()
            side.signal(signal.SIGSTOP)
        for turn in range(rounds):
            # There and back: a side has each of the others before it as often as behind it.
            for side in sides if turn % 2 == 0 else reversed(sides):
                speeds[side.name].append(side.window())
    finally:
        for side in sides:
            side.close()
    return speeds


def installed(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None

"""`train` with --threads auto against fixed numbers, beside programs that keep cores busy.

Every side is a process of its own that begins while those programs are at work, as a user's would. Sides run in
turns, one at a time: two trainings at once would disturb each other.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil

from .context import NO_DATA, Context, NotMeasured
from .figures import Figure
from .race import Side as Training
from .race import rate, read_log
from .terminal import ROOT, end_tree

SPIN = [sys.executable, "-c", "while True: pass"]
CROWDS = ("idle", "one busy program", "two busy programs", "another training")
ROUNDS = 3
SECONDS = 4.0  # of training, from the first step on: a change of threads comes within them
GOAL = 0.8


def threads(context: Context) -> list[Figure]:
    """For each crowd: the speed of auto, divided by that of the best fixed number."""
    figures = []
    for crowd in CROWDS:
        name = f"--threads auto ÷ the best fixed number, {crowd}"
        if context.data_dir is None:
            figures.append(Figure(name, missing=NO_DATA))
            continue
        try:
            rounds = [_round(context, crowd) for _ in range(ROUNDS * context.repeat)]
        except NotMeasured as why:
            figures.append(Figure(name, missing=str(why)))
            continue
        best = max((side for side in rounds[0] if side != "auto"), key=lambda side: sum(r[side] for r in rounds))
        found = [speeds["auto"] / speeds[best] for speeds in rounds]
        figures.append(Figure(name, found, at_least=GOAL, details={"best": best, "steps_per_s": rounds}))
        print(json.dumps({crowd: rounds}), file=sys.stderr, flush=True)
    return figures


def _round(context: Context, crowd: str) -> dict[str, float]:
    """Steps a second with auto, and with each fixed number that is worth trying."""
    cores = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count() or 1
    numbers = sorted({1, max(1, cores // 2), max(1, cores - 2), max(1, cores - 1), cores})
    with _crowd(context, crowd):
        return {side: _speed(context, side) for side in ("auto", *map(str, numbers))}


@contextlib.contextmanager
def _crowd(context: Context, name: str) -> Iterator[None]:
    programs: list[subprocess.Popen[bytes]] = []
    training = None
    try:
        if name == "another training":
            training = Training("plain", context.options("mlp"))  # with PyTorch's default threads
            training.wait_until_training(steps=1)
        else:
            count = {"idle": 0, "one busy program": 1, "two busy programs": 2}[name]
            programs += [subprocess.Popen(SPIN, cwd=ROOT, start_new_session=True) for _ in range(count)]
            time.sleep(0.5)
        yield
    finally:
        for program in programs:
            end_tree(program)
        if training is not None:
            training.close()


def _speed(context: Context, wanted: str) -> float:
    """Steps a second in the first SECONDS of `train --dataset fashion-mnist --hidden 64`."""
    options = [*context.options("mlp"), "--hidden", "64", "--epochs", "100000", "--threads", wanted, "--no-store"]
    side = Training("headless", options)
    try:
        side.wait_until_training(steps=1)
        first = next(point for point in read_log(side.log) if point.kind == "s").time
        time.sleep(max(0.0, first + SECONDS - time.monotonic()))
        points = [point for point in read_log(side.log) if point.kind == "s"]
        # A crawling run tells of each step when it has come; one that is too slow for two tells still of how many.
        return rate(points, first, first + SECONDS) if len(points) > 1 else points[-1].steps / SECONDS
    finally:
        side.close()

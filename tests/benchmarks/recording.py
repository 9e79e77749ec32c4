"""What a long run costs: a frame after a million steps, and the memory that they take."""

from __future__ import annotations

import gc
import sys
import time

import numpy as np
import psutil

from d2ltui.charts.draw import draw
from d2ltui.charts.of_run import Curves
from d2ltui.history.live import LiveRun
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve

from .context import Context
from .figures import Figure
from .terminal import ROOT, environment

FEW, MANY = 1_000, 1_000_000
FRAMES = 40
BLOCK = 500
WIDTH, HEIGHT = 60, 19  # of a chart on a terminal of 160 × 45
ROOM = 1.1  # the run's length ÷ the steps recorded: both charts are nearly full


def config_for(steps: int) -> RunConfig:
    """Linear regression of a little more than so many steps."""
    return resolve({"model": "linear", "epochs": max(2, round(ROOM * steps / 32))})


def record(live: LiveRun, steps: int, seed: int = 0) -> None:
    """Tell `live` about steps as the engine does: in blocks, with the end of each epoch."""
    draw = np.random.default_rng(seed)
    per_epoch = live.config.steps_per_epoch
    end = live.step + steps
    while live.step < end:
        size = min(BLOCK, per_epoch - live.step % per_epoch, end - live.step)
        now = np.arange(live.step, live.step + size)
        losses = (1 / (1 + now / 1000) * draw.uniform(0.5, 1.5, size)).astype(np.float32)
        step = live.step + size
        live(events.StepsTrained(step, losses, 1 - losses, step * 1e-4))
        if step % per_epoch == 0:
            loss = float(losses.mean())
            live(events.EpochEnded(step // per_epoch, step, loss, loss, 1 - loss, 1 - loss, step * 1e-4))


def frame(curves: Curves) -> None:
    """Both charts, from the histories to the lines of the screen."""
    draw(curves.loss(WIDTH, HEIGHT, log=False, smoothing=0.6, ascii=False))
    draw(curves.metric(WIDTH, HEIGHT, smoothing=0.6, ascii=False))


def _frames() -> tuple[list[float], list[float]]:
    lives = [LiveRun(config_for(steps)) for steps in (FEW, MANY)]
    curves = [Curves(live) for live in lives]
    for live, steps in zip(lives, (FEW, MANY), strict=True):
        record(live, steps)
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(FRAMES + 3):
        for side, (live, curve) in enumerate(zip(lives, curves, strict=True)):
            record(live, 2, seed=turn)
            began = time.perf_counter()
            frame(curve)
            if turn >= 3:
                seconds[side].append(time.perf_counter() - began)
    return seconds


def long_run(context: Context) -> list[Figure]:
    """A frame of both charts, in turns."""
    few, many = _frames()
    ratios = [late / early for late, early in zip(many, few, strict=True)]
    milliseconds = [1000 * late for late in many]
    return [
        Figure("a frame after 1,000,000 recorded steps ÷ after 1,000", ratios, at_most=1.2),
        Figure("a frame after 1,000,000 recorded steps", milliseconds, unit="ms"),
    ]


def memory(context: Context) -> list[Figure]:
    """Growth of a process that records a million steps and looks at them; a fresh process each time."""
    import subprocess

    values = []
    for _ in range(3):
        command = [sys.executable, "-m", "tests.benchmarks.recording"]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
        values.append(float(done.stdout))
    return [Figure("memory per 1,000,000 recorded steps", values, at_most=64, unit="MB")]


def main() -> None:
    """Print how many MB a million steps took."""
    process = psutil.Process()
    live = LiveRun(config_for(MANY))
    curves = Curves(live)
    record(live, FEW)
    curves.loss(WIDTH, HEIGHT, log=False, smoothing=0.6, ascii=False)
    curves.metric(WIDTH, HEIGHT, smoothing=0.6, ascii=False)
    gc.collect()
    before = process.memory_info().rss
    largest = before
    while live.step < MANY:
        record(live, 20_000, seed=live.step)
        curves.loss(WIDTH, HEIGHT, log=False, smoothing=0.6, ascii=False)
        curves.metric(WIDTH, HEIGHT, smoothing=0.6, ascii=False)
        largest = max(largest, process.memory_info().rss)
    print((largest - before) / 1e6)


if __name__ == "__main__":
    main()

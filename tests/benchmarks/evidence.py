"""What evidence costs: training with samples and looks, divided by training without, in turns in one process.

Speed is in steps a second of the training thread's processor time: on a machine that others use as well, the clock
tells of them. Where even that varies more than a hundredth, the second row of each pair decides: the share of that time
which is not spent in looks, in the very same run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from d2ltui.data import Dataset, load
from d2ltui.diagnosis.probes import SAMPLE_EVERY
from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve

from .context import NO_DATA, Context
from .figures import Figure

ROUNDS = 10
RUNS: dict[str, dict[str, Any]] = {
    "linear": {"model": "linear", "dataset": "synthetic-linear", "epochs": 300},
    "digits MLP": {"model": "mlp", "dataset": "digits", "epochs": 100},
    "Fashion-MNIST MLP": {"model": "mlp", "dataset": "fashion-mnist", "epochs": 4},
}
GOALS = {"headless": 0.99, "looked at": 0.97}


def evidence(context: Context) -> list[Figure]:
    """For each run, headless and looked at: its speed with evidence ÷ that without."""
    figures = []
    for name, given in RUNS.items():
        rows = {side: f"{name}: with evidence ÷ without, {side}" for side in GOALS}
        if given["dataset"] == "fashion-mnist" and context.data_dir is None:
            figures += [Figure(row, missing=NO_DATA) for row in rows.values()]
            continue
        folder = {"data_dir": context.data_dir} if given["dataset"] == "fashion-mnist" else {}
        config = resolve({**given, **folder, "device": "cpu", "threads": 1})
        data = load(config, lambda message, fraction: None, lambda: False)
        ratios: dict[str, list[float]] = {side: [] for side in GOALS}
        shares: dict[str, list[float]] = {side: [] for side in GOALS}
        looks = _speed(config, data, "looked at")[2]  # and it warms up
        sides = ("without", *GOALS)
        for number in range(ROUNDS * context.repeat):
            turn = number % len(sides)  # each side is as often the first one
            told = {side: _speed(config, data, side) for side in (*sides[turn:], *sides[:turn])}
            for side in GOALS:
                ratios[side].append(told[side][0] / told["without"][0])
                shares[side].append(told[side][1])
        for side, goal in GOALS.items():
            note = f"{looks} looks for the eye in {config.total_steps:,} steps" if side == "looked at" else ""
            figures.append(Figure(rows[side], ratios[side], at_least=goal, note=note))
            figures.append(Figure(f"{name}: share of the time not in looks, {side}", shares[side], at_least=goal))
    return figures


class _Timed(Trainer):
    """Knows the processor time that its epochs took, with the looks among their steps."""

    seconds = looking = 0.0
    within = False  # an epoch: what is looked at before and after all of them costs no step its time

    def _prepare(self) -> None:
        super()._prepare()
        for name in ("sample", "look", "arm"):
            setattr(self._inspection, name, self._timed(getattr(self._inspection, name)))

    def _timed(self, do: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **options: Any) -> Any:
            began = time.thread_time()
            try:
                return do(*given, **options)
            finally:
                self.looking += (time.thread_time() - began) * self.within

        return timed

    def _train_epoch(self, epoch: int) -> None:
        began, self.within = time.thread_time(), True
        try:
            super()._train_epoch(epoch)
        finally:
            self.seconds += time.thread_time() - began
            self.within = False


def _speed(config: RunConfig, data: Dataset, side: str) -> tuple[float, float, int]:
    """Steps a second, the share of time that is not spent in looks, and how many looks were told."""
    control, looks = Control(), 0
    control.observe(side == "looked at")

    def count(event: events.Event) -> None:
        nonlocal looks
        looks += isinstance(event, events.LayersProbed)

    trainer = _Timed(config, control, [count], dataset=data, sample_every=None if side == "without" else SAMPLE_EVERY)
    trainer.run()
    return trainer.progress.step / trainer.seconds, 1 - trainer.looking / trainer.seconds, looks

"""Whether the default learning rates are good ones: `python -m tests.benchmarks.defaults [DATASET …]`.

For each model, data set, activation and optimiser, runs with the default rate and with a grid of rates around it, half
a decade apart. The best rate is chosen on some seeds (`TUNING`) and reported, like the default, on others
(`REPORTING`), so that its luck does not count; the best of the grid on those is shown beside it. A default is to be
within `MARGIN` of both, and its run, in the engine, without an alarm.

A straight line tells two circles or three spirals apart hardly better than a guess, and which rate is lucky means
nothing: where no rate of the grid beats a guess by `LEARNABLE`, accuracies are shown and not judged.

Without DATASET, all embedded ones; Fashion-MNIST takes hours on two cores, and is asked for by name.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.optimizers import OPTIMIZERS

from .grid import train

TUNING, REPORTING = (100, 101, 102), (0, 1, 2)
DECADES = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)  # of the rates of a grid, about the default
MARGIN = 0.03
LEARNABLE = 0.15
MODELS = ("linear", "softmax", "mlp")  # those that `grid` trains
ACTIVATIONS = ("relu", "tanh", "sigmoid")


@dataclass(frozen=True)
class Case:
    """A model on a data set, with an optimiser and, for the multilayer perceptron, an activation."""

    model: str
    dataset: str
    optimizer: str
    activation: str

    @property
    def title(self) -> str:
        """`mlp moons relu adam`."""
        activation = self.activation if self.model == "mlp" else ""
        return " ".join(filter(None, (self.model, self.dataset, activation, self.optimizer)))

    def config(self, seed: int = 0) -> RunConfig:
        """Its run, with all defaults."""
        given: dict[str, object] = {
            "model": self.model,
            "dataset": self.dataset,
            "optimizer": self.optimizer,
            "seed": seed,
        }
        if self.model == "mlp":
            given["activation"] = self.activation
        return resolve({**given, "device": "cpu"})


@dataclass(frozen=True)
class Row:
    """What a case came to. Scores are means over `REPORTING`: accuracy, or R²."""

    case: Case
    lr: float
    score: float  # of the default
    tuned_lr: float  # the best of the grid on the tuning seeds
    tuned: float  # its score
    best: float  # the best score of the whole grid
    lowest: float  # of the default, over the seeds
    alarms: tuple[str, ...]  # what the engine found in the default's runs
    seconds: float

    @property
    def kept(self) -> bool:
        """Whether the default is within the margin of the tuned rate and of the best, and without an alarm."""
        return (not self.learnable or self.score >= self.best - MARGIN) and not self.alarms

    @property
    def learnable(self) -> bool:
        """Whether any rate does better than a guess."""
        data = catalogue.DATASETS[self.case.dataset]
        return data.task == "regression" or self.best >= 1 / data.num_outputs + LEARNABLE

    @property
    def told(self) -> str:
        """A line of the table."""
        verdict = "  (a guess)" if self.kept and not self.learnable else "" if self.kept else "  <"
        return (
            f"{self.case.title:<38} {self.lr:>8g} {self.score:>7.3f} {self.tuned_lr:>9.3g} "
            f"{self.tuned:>7.3f} {self.best:>7.3f}  {', '.join(self.alarms)}{verdict}"
        )


def cases(datasets: list[str], optimizers: list[str], activations: list[str]) -> Iterator[Case]:
    """Every one whose data set, optimiser and activation are among these, the quick ones first."""
    for model in MODELS:
        for dataset in catalogue.datasets_for(model):
            for activation in activations if model == "mlp" else activations[:1]:
                for optimizer in optimizers:
                    if dataset in datasets:
                        yield Case(model, dataset, optimizer, activation)


def alarms(config: RunConfig) -> set[str]:
    """The rules that raised an alarm at any moment of a run, looked at as `d2ltui train` looks."""
    found: set[str] = set()

    def sink(event: events.Event) -> None:
        if isinstance(event, events.FindingsChanged):
            found.update(finding.rule for finding in event.findings if finding.severity == "alarm")
        if isinstance(event, events.RunEnded) and event.status != "finished":
            found.add(event.status)

    Trainer(config, Control(), [sink]).run()
    return found


def measure(case: Case, decades: tuple[float, ...] = DECADES, seeds: int = len(REPORTING)) -> Row:
    """Train the grid and the default."""
    began = time.monotonic()
    config = case.config()
    rates = [config.lr * 10**decade for decade in decades]
    tuning = train(config, TUNING[:seeds], rates).nan_to_num(-math.inf).mean(dim=0)
    reporting = train(config, REPORTING[:seeds], rates).nan_to_num(-math.inf)
    default, tuned = decades.index(0.0), int(tuning.argmax())
    means = reporting.mean(dim=0)
    found = sorted(set[str]().union(*(alarms(case.config(seed)) for seed in REPORTING[:seeds])))
    return Row(
        case=case,
        lr=config.lr,
        score=float(means[default]),
        tuned_lr=rates[tuned],
        tuned=float(means[tuned]),
        best=float(means.max()),
        lowest=float(reporting[:, default].min()),
        alarms=tuple(found),
        seconds=time.monotonic() - began,
    )


def main() -> None:
    names = list(catalogue.DATASETS)
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.defaults", description="Try the default rates.")
    parser.add_argument("datasets", metavar="DATASET", nargs="*", help=f"all that are here, or some of: {names}")
    parser.add_argument("--optimizer", action="append", choices=list(OPTIMIZERS))
    parser.add_argument("--activation", action="append", choices=ACTIVATIONS)
    parser.add_argument("--seeds", type=int, default=len(REPORTING), choices=range(1, len(REPORTING) + 1))
    parser.add_argument("--decades", type=float, nargs="+", default=DECADES, help="with 0 among them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="add a line for each case to FILE")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    wanted = arguments.datasets or [name for name in names if catalogue.DATASETS[name].embedded]
    lost = 0
    print(f"{'':<38} {'default':>8} {'score':>7} {'tuned lr':>9} {'score':>7} {'best':>7}  alarms")
    for case in cases(wanted, arguments.optimizer or list(OPTIMIZERS), arguments.activation or [*ACTIVATIONS]):
        row = measure(case, tuple(arguments.decades), arguments.seeds)
        lost += not row.kept
        print(row.told, flush=True)
        if arguments.json is not None:
            with arguments.json.open("a") as file:
                file.write(json.dumps(asdict(row)) + "\n")
    print(f"{lost} not within {MARGIN:g} of the best, or with an alarm (<)")


if __name__ == "__main__":
    main()

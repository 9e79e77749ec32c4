"""Whether the true cause of a sick run is named: `python -m tests.benchmarks diagnosis [--n N] [--seed S]`.

Random healthy runs (model, data set, widths, depth, activation, optimiser, rate, batch, seed), kept where they train
well; then one fault in each of several copies, of a kind and a size that are drawn, kept where it hurts: the validation
metric falls by `HURTS`, or the run ends badly; or, of what makes weights grow, where only the validation loss is
`SPOILED` times as large (kinds that end with "loss"). Of each faulty run is asked whether the diagnosis

- noticed: found anything graver than a note;
- named: its first finding is the cause that was put in;
- repaired: training again with that finding's remedy comes within `REPAIRED` of the healthy run, and where the loss
  was spoiled, to less than half of that loss.

Of each healthy run, whether it was left in peace: nothing graver than a note, at its end and at any moment before. Of
every run, whether two findings that were told at once ever had opposite remedies.

Architectures and data sets fall into two parts: what is tuned is tuned on one, and the figures that count come from the
other (`--part`).
"""

from __future__ import annotations

import argparse
import collections
import itertools
import math
import os
import random
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch

from d2ltui.data import Dataset, load
from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.spec import catalogue, events
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import RunConfig, applicable_fields, resolve
from d2ltui.spec.optimizers import OPTIMIZERS
from d2ltui.spec.parsing import ConfigError

from . import diagnosis_data
from .diagnosis_faults import Fault, faults

HURTS, REPAIRED, SPOILED = 0.08, 0.05, 5
SPOIL_THE_LOSS = ("rate too high", "momentum", "large weights")
LEARNED = {  # the validation metric of a healthy run, at least
    "digits": 0.93, "moons": 0.94, "circles": 0.94, "spirals": 0.9, "diabetes": 0.35, "synthetic-linear": 0.99,
    "fashion-mnist": 0.8, "function": 0.85,
}  # fmt: skip
LEARNED_GENERATED = 0.93
STEPS = (300, 1500)  # of a healthy run
IMAGES = 0.1  # of the networks with hidden layers: Fashion-MNIST, where D2LTUI_DATA_DIR has it
FAULTS_OF_A_BASE = 4
SO_FAR = 50  # runs after which the table is printed each time: who ends it early has that


@dataclass
class Run:
    """What came of a run."""

    config: RunConfig
    status: str
    metric: float  # of the validation part, from 0 on; 0 where it ended badly
    loss: float  # of the validation part
    findings: tuple[events.Finding, ...]
    told: Sequence[tuple[events.Finding, ...]]  # while it trained and at its end, in order

    @property
    def disturbed(self) -> tuple[events.Finding, ...]:
        """What was more than a note at some moment."""
        return tuple(finding for found in self.told for finding in found if finding.severity != "note")

    @property
    def opposite(self) -> bool:
        """Whether two remedies that were told at once ever wanted different values of one setting."""
        return any(
            one.remedy[name] != other.remedy[name]
            for found in self.told
            for one, other in itertools.combinations(found, 2)
            for name in one.remedy.keys() & other.remedy.keys()
        )

    @property
    def first(self) -> events.Finding | None:
        """The first finding that is more than a note."""
        return next((finding for finding in self.findings if finding.severity != "note"), None)


class _Sink:
    def __init__(self) -> None:
        self.told: list[tuple[events.Finding, ...]] = []
        self.last: events.EpochEnded | None = None

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.FindingsChanged):
            self.told.append(event.findings)
        elif isinstance(event, events.EpochEnded):
            self.last = event


def train(config: RunConfig, dataset: Dataset | None = None, *, watched: bool = False) -> Run:
    """A run, as `d2ltui train` makes it; `watched`: as the application does, which looks at the layers."""
    sink, control = _Sink(), Control()
    control.observe(watched)
    ended = Trainer(config, control, [sink], dataset=dataset, diagnose=True).run()
    metric = sink.last.val_metric if sink.last is not None and math.isfinite(sink.last.val_metric) else 0.0
    if ended.status != "finished":
        metric = 0.0
    loss = sink.last.val_loss if sink.last is not None else math.nan
    return Run(config, ended.status, max(0.0, metric), loss, sink.told[-1] if sink.told else (), sink.told)


def part_of(config: RunConfig) -> str:
    """`tuned` or `reported`, by data set and architecture."""
    shape = f"{config.model} {config.dataset} {config.activation if config.model == 'mlp' else ''} {len(config.hidden)}"
    return ("tuned", "reported")[zlib.crc32(shape.encode()) % 2]


def healthy_configs(chance: random.Random) -> Iterator[RunConfig]:
    """Without end."""
    generated = diagnosis_data.register()
    images = (Path(os.environ.get("D2LTUI_DATA_DIR", "")) / "FashionMNIST").is_dir()
    while True:
        model = chance.choices(("mlp", "softmax", "linear"), (8, 1, 1))[0]
        given: dict[str, object] = {"model": model, "seed": chance.randrange(10_000), "device": "cpu", "threads": 1}
        if model == "linear":
            given["dataset"] = chance.choice(["synthetic-linear", "diabetes", *generated[-2:]])
        elif model == "softmax":
            given["dataset"] = "digits"
        else:
            given["dataset"] = chance.choice(
                ["digits", "digits", "moons", "circles", "spirals", "function", *generated[:-2]]
            )
            if given["dataset"] == "function":
                given["function"] = chance.choice(("sine", "absolute", "step", "square"))
        if images and model == "mlp" and chance.random() < IMAGES:
            given["dataset"] = "fashion-mnist"
        given["implementation"] = chance.choice(("concise", "concise", "scratch"))
        given["optimizer"] = "sgd" if given["implementation"] == "scratch" else chance.choice(list(OPTIMIZERS))
        if model == "mlp":
            depth = chance.choice((1, 1, 2, 2, 3, 4))
            given["hidden"] = tuple(chance.choice((16, 24, 32, 64, 96, 128)) for _ in range(depth))
            given["activation"] = chance.choice(("relu", "relu", "relu", "tanh", "tanh", "sigmoid", *ACTIVATIONS))
            if given["activation"] == "identity":
                continue
            given["init"] = chance.choice(("default", "xavier", "kaiming"))
            if given["implementation"] == "scratch" or depth > 2:
                given["init"] = chance.choice(("xavier", "kaiming"))
            if chance.random() < 0.2:
                given["dropout"] = round(chance.uniform(0.05, 0.3), 2)
        if chance.random() < 0.25:
            given["weight_decay"] = float(f"{10 ** chance.uniform(-6, -3.5):.1g}")
        lr = float(str(catalogue.defaults(model, str(given["dataset"]), str(given["optimizer"]),
                                          str(given.get("activation", "relu")))["lr"]))  # fmt: skip
        given["lr"] = float(f"{lr * 10 ** chance.uniform(-0.5, 0.4):.2g}")
        # A pass over Fashion-MNIST's 60,000 samples is long: as many steps as of the others are one or two of them.
        of_images = given["dataset"] == "fashion-mnist"
        given["batch_size"] = chance.choice((64, 128, 256) if of_images else (8, 16, 32, 32, 64, 128))
        try:
            config = resolve(given)
        except ConfigError:
            continue
        steps = chance.uniform(*STEPS)
        least = 1 if of_images else 2
        yield msgspec.structs.replace(config, epochs=max(least, round(steps / config.steps_per_epoch)))


def is_healthy(run: Run) -> bool:
    """Whether it has learned what there is to learn."""
    return run.status == "finished" and run.metric >= LEARNED.get(run.config.dataset, LEARNED_GENERATED)


def _loaded(config: RunConfig) -> Dataset:
    return load(config, lambda message, fraction: None, lambda: False)


@dataclass
class Score:
    """Of the faults of one kind."""

    runs: int = 0
    noticed: int = 0
    named: int = 0
    mendable: int = 0
    repaired: int = 0

    def row(self, kind: str) -> str:
        """As the table has it."""

        def share(part: int, whole: int) -> str:
            return f"{part / whole:>8.2f}" if whole else f"{'–':>8}"

        return (
            f"{kind:<18}{self.runs:>5}{share(self.noticed, self.runs)}{share(self.named, self.runs)}"
            f"{share(self.repaired, self.mendable)}"
        )


def main(arguments: Sequence[str]) -> int:
    """Print the scores; returns the exit status, 1 where one falls short of its goal."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks diagnosis",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--n", type=int, default=100, help="faulty runs (default 100)")
    parser.add_argument("--healthy", type=int, default=0, help="healthy runs, at least (default 0)")
    parser.add_argument("--seed", type=int, default=1, help="what they follow from (default 1)")
    parser.add_argument("--part", choices=("tuned", "reported", "both"), default="reported")
    parser.add_argument("--kind", help="only faults of this kind")
    again = "train N of the faulty runs again, now watched, and compare the findings (default 0)"
    parser.add_argument("--twice", type=int, default=0, metavar="N", help=again)
    parser.add_argument("--verbose", action="store_true", help="each run whose cause was not named, or not repaired")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    chance = random.Random(given.seed)
    scores: dict[str, Score] = collections.defaultdict(Score)
    healthy = disturbed = briefly = opposite = tried = compared = same = 0
    silent: list[str] = []
    began = time.monotonic()
    for config in healthy_configs(chance):
        faulty = sum(score.runs for score in scores.values())
        if faulty >= given.n and healthy >= given.healthy:
            break
        if given.part != "both" and part_of(config) != given.part:
            continue
        tried += 1
        data = _loaded(config)
        base = train(config, data)
        if not is_healthy(base):
            continue
        healthy += 1
        if base.first is not None:
            disturbed += 1
            print(f"healthy ({base.metric:.3f}): {_told(base)}\n    {_line(config)}", flush=True)
        elif base.disturbed:
            briefly += 1
            print(f"healthy, for a while: {base.disturbed[0].what}\n    {_line(config)}", flush=True)
        opposite += base.opposite
        if faulty >= given.n:
            continue
        kinds = faults(config, chance)
        chance.shuffle(kinds)
        if given.kind:
            kinds = [fault for fault in kinds if fault.kind == given.kind]
        for fault in kinds[:FAULTS_OF_A_BASE]:
            run = _faulty(config, fault, data)
            if run is None:
                continue
            hurt = base.metric - run.metric >= HURTS
            if not hurt and not (fault.kind in SPOIL_THE_LOSS and _spoiled(base, run)):
                continue
            score = scores[fault.kind if hurt else f"{fault.kind}, loss"]
            score.runs += 1
            opposite += run.opposite
            first = run.first
            score.noticed += first is not None
            named = first is not None and first.rule in fault.rules
            named = named and (not fault.setting or fault.setting in first.remedy)
            score.named += named
            after, cured = None, fault.spoil is not None
            if fault.spoil is None:
                score.mendable += 1
                if first is not None and first.remedy:
                    after = _repaired(run.config, first.remedy)
                if after is not None:
                    cured = base.metric - after.metric <= REPAIRED and (hurt or after.loss < run.loss / 2)
                score.repaired += cured
            if compared < given.twice:
                watched = _faulty(config, fault, data, watched=True)
                alike = watched is not None and watched.findings == run.findings
                compared, same = compared + 1, same + alike
                if not alike:
                    print(f"not the same findings twice: {_line(run.config)}", flush=True)
            if run.metric <= _guess(config) + 0.02 and first is None:
                silent.append(_line(run.config))
            if given.verbose and not (named and cured):
                course = " → ".join(f"{one.metric:.3f} ({one.loss:.2g})" for one in (base, run, after) if one)
                print(f"{fault.kind} {course}: {_told(run)}\n    {_line(run.config)}", flush=True)
        done = sum(score.runs for score in scores.values())
        print(f"\r{done} runs, {healthy} healthy", end="", file=sys.stderr, flush=True)
        if done // SO_FAR > faulty // SO_FAR:
            _table(scores, healthy, tried, disturbed, silent)
            print(f"the same findings twice: {same} of {compared}; {time.monotonic() - began:.0f} s", flush=True)
            print(f"healthy runs warned for a while: {briefly}; opposite remedies at once: {opposite}", flush=True)
    total = _table(scores, healthy, tried, disturbed, silent)
    print(f"healthy runs warned for a while: {briefly}; runs with opposite remedies at once: {opposite}")
    if compared:
        print(f"the same findings twice: {same} of {compared}")
    for line in silent:
        print(f"    {line}")
    print(f"{time.monotonic() - began:.0f} s")
    well = total.noticed >= 0.98 * total.runs and total.named >= 0.9 * total.runs and not silent
    return 0 if well and total.repaired >= 0.9 * total.mendable and disturbed <= 0.01 * healthy else 1


def _table(scores: Mapping[str, Score], healthy: int, tried: int, disturbed: int, silent: Sequence[str]) -> Score:
    """Print what there is so far; returns the sum of all kinds."""
    total = Score()
    print(f"\n{'kind':<18}{'runs':>5}{'noticed':>8}{'named':>8}{'repaired':>9}")
    for kind, score in sorted(scores.items()):
        print(score.row(kind))
        for name in ("runs", "noticed", "named", "mendable", "repaired"):
            setattr(total, name, getattr(total, name) + getattr(score, name))
    print(total.row("all"))
    print(
        f"noticed {total.noticed}, named {total.named} of {total.runs}, repaired {total.repaired} of {total.mendable}"
    )
    print(f"healthy runs: {healthy} of {tried} tried, with a warning or an alarm {disturbed}")
    print(f"no better than a guess, and nothing said: {len(silent)}", flush=True)
    return total


def _guess(config: RunConfig) -> float:
    return 0.0 if config.task == "regression" else 1 / config.dataset_info.num_outputs


def _faulty(config: RunConfig, fault: Fault, data: Dataset, *, watched: bool = False) -> Run | None:
    """The run with the fault; None where it cannot be had."""
    changed = _changed(config, fault.change)
    if changed is None:
        return None
    if fault.spoil is not None:
        data = fault.spoil(data, torch.Generator().manual_seed(config.seed))
    return train(changed, data, watched=watched)


def _repaired(config: RunConfig, remedy: dict[str, object]) -> Run | None:
    changed = _changed(config, remedy)
    return None if changed is None else train(changed, None)


def _spoiled(base: Run, run: Run) -> bool:
    """Whether the loss of `run`, whose accuracy is good, is much worse than that of the healthy one."""
    return run.config.task == "classification" and run.status == "finished" and run.loss > SPOILED * base.loss


def _changed(config: RunConfig, change: dict[str, Any]) -> RunConfig | None:
    replaced = msgspec.structs.replace(config, **change)
    fields = {name: getattr(replaced, name) for name in ("dataset", *applicable_fields(replaced.model))}
    hidden = {
        name for name, other in catalogue.ONLY_WITH.items() if fields.get(other) not in catalogue.values_with(name)
    }
    given = {name: value for name, value in fields.items() if name not in hidden}
    try:
        return resolve({**given, "model": replaced.model, "implementation": replaced.implementation})
    except ConfigError:
        return None


def _told(run: Run) -> str:
    return "; ".join(f"{f.rule} {f.severity} {f.remedy}" for f in run.findings) or "nothing"


def _line(config: RunConfig) -> str:
    names = ("model", "implementation", "dataset", "hidden", "activation", "init", "init_std", "optimizer", "lr",
             "momentum", "weight_decay", "clip_norm", "label_smoothing", "dropout", "batch_size", "epochs",
             "seed")  # fmt: skip
    return " ".join(f"{name}={getattr(config, name)}" for name in names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

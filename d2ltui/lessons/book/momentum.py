"""Momentum (section 12.6)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from d2ltui.lessons.altered_data import with_training_part
from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.bowl import Bowl
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.roles import role_in_words
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Descent, Panel, Panels, Path
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number

if TYPE_CHECKING:
    from d2ltui.data import Dataset
    from d2ltui.nn import Network

SQUEEZED = 0.15  # the second input: the valley is 1 / 0.15² = 44 times as steep across as along
PLAIN, MOMENTUM = "SGD", "momentum"
RATES = (0.1, 0.3, 0.9)  # for SGD; of them the best counts
THERE = 0.1  # of the distance at the start: from there on the bottom is reached
ROOM = 0.6  # around the path and the goal


def _valley(data: Dataset) -> Dataset:
    """`data` with the second input squeezed, and the labels of w = (2, −3.4) without noise, b = 0."""
    import torch

    x = data.x_train * torch.tensor([1.0, SQUEEZED])
    return with_training_part(data, x, x @ torch.tensor([[2.0], [-3.4]]))


def momentum(bench: Bench) -> Measured:
    """Plain SGD at several rates and SGD with momentum, all samples in a step, in a long valley."""
    needed: dict[tuple[str, float], list[int]] = {}
    drawn: dict[str, tuple[int, list[tuple[float, float]]]] = {}
    trials = [*((PLAIN, rate) for rate in RATES), (MOMENTUM, bench.config(MOMENTUM).lr)]
    bench.expect(len(trials) * len(bench.seeds))
    for role, rate in trials:
        for seed in bench.seeds:
            data = _valley(bench.data(bench.config(role, seed)))
            bowl, path = Bowl(data), list[tuple[float, float]]()

            def look(network: Network, path: list[tuple[float, float]] = path) -> None:
                _, weight, _ = network.weights()[-1]
                path.append((float(weight[0, 0]), float(weight[1, 0])))

            bench.train(role, seed, label=f"{role}, lr {rate}", dataset=data, each_epoch=look, lr=rate)
            steps = _steps(bowl, path)
            needed.setdefault((role, rate), []).append(steps)
            # Of the first seed the best of each kind is drawn.
            if seed == bench.seeds[0] and (role not in drawn or steps < drawn[role][0]):
                drawn[role] = steps, path
                paths = {name: path for name, (_steps_of_it, path) in drawn.items()}
                bench.show(_picture(paths, bowl, {}), seed=bench.seeds[0])
    best = min(RATES, key=lambda rate: mean(needed[PLAIN, rate]))
    plain, with_momentum = mean(needed[PLAIN, best]), mean(needed[MOMENTUM, trials[-1][1]])
    paths = {name: path for name, (_steps_of_it, path) in drawn.items()}
    steps_of = {PLAIN: plain, MOMENTUM: with_momentum}
    bench.show(
        _picture(paths, Bowl(_valley(bench.data(bench.config(PLAIN, bench.seeds[0])))), steps_of), seed=bench.seeds[0]
    )
    most = bench.config(PLAIN).epochs
    faster = plain / max(with_momentum, 1)
    return Measured(
        [
            *(
                figure(_("SGD, a rate of {rate}: steps to the bottom").format(rate=rate), mean(needed[PLAIN, rate]))
                for rate in RATES
            ),
            figure(
                _("SGD: steps to the bottom, at the best of {rates} rates").format(rates=len(RATES)),
                plain,
                high=most,
                plain=_("Steps of SGD to the bottom, at the best of {rates} rates").format(rates=len(RATES)),
            ),
            figure(
                _("momentum: steps to the bottom"),
                with_momentum,
                high=most,
                plain=_("Steps with momentum"),
            ),
            figure(
                _("SGD's steps, momentum's being 1"),
                faster,
                low=2.0,
                plain=_("How many times as many SGD needs"),
            ),
        ],
        _(
            "The bottom counts as reached where nine tenths of the way are done for good; a run of "
            "{most} steps that did not get there counts as one more."
        ).format(most=most),
        _(
            "Through the same valley SGD needs {plain} steps at the best of {rates} rates, and "
            "{with_momentum} with momentum."
        ).format(plain=number(plain, 2), rates=len(RATES), with_momentum=number(with_momentum, 2)),
    )


def _steps(bowl: Bowl, path: list[tuple[float, float]]) -> int:
    """The step after which the weights stay near the goal; one more than there were, if they do not come there."""
    distances = [math.dist(weight, bowl.goal) for weight in path]
    away = [step for step, distance in enumerate(distances) if not distance <= THERE * distances[0]]
    return away[-1] + 1 if away else 0


def _picture(drawn: dict[str, list[tuple[float, float]]], bowl: Bowl, needed: Mapping[str, float]) -> Panels:
    """Both paths to the bottom of the valley, side by side; their steps are told, or those that are `needed`."""
    drawn = {role: path[: _steps(bowl, path) + 1] for role, path in drawn.items()}
    places = [place for path in drawn.values() for place in path] + [bowl.goal]
    x, y = ((min(p[axis] for p in places) - ROOM, max(p[axis] for p in places) + ROOM) for axis in (0, 1))
    panels = []
    for role, path in drawn.items():
        steps = number(needed[role], 2) if role in needed else str(len(path) - 1)
        walk = Path(_("a step or more"), [p[0] for p in path], [p[1] for p in path], 1, "o")
        start = Path(_("start"), [path[0][0]], [path[0][1]], 2, "S")
        bowl_of = Descent(bowl.picture(x, y), x, y, ("w₁", "w₂"), (walk, start), bowl.goal)
        panels.append(Panel(_("{role}: {steps} steps").format(role=role_in_words(role), steps=steps), bowl_of))
    return Panels(tuple(panels), columns=2, note=_("steps until nine tenths of the way are done for good"))


VALLEY = {"model": "linear", "dataset": "synthetic-linear", "batch_size": 1000, "epochs": 60}

LESSON = book_lesson(
    "momentum",
    measure=momentum,
    experiments=(
        Experiment(PLAIN, {**VALLEY, "optimizer": "sgd", "lr": 0.9}),
        Experiment(MOMENTUM, {**VALLEY, "optimizer": "momentum", "lr": 0.9, "momentum": 0.7}),
    ),
)

"""The ½ in the loss (section 3.1.1.2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

from d2ltui.lessons.bench import Bench
from d2ltui.lessons.bowl import Bowl
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.numbers import number

if TYPE_CHECKING:
    from d2ltui.nn import Network

Steps: TypeAlias = list[tuple[float, float]]

HALF, WHOLE, SLOWER = "with the ½", "without it", "without it, half the rate"
LINEAR = {"model": "linear", "dataset": "synthetic-linear", "batch_size": 1000, "epochs": 20}
SAME = 1e-4  # weights that differ by no more are the same, but for float32's rounding


def half_loss(bench: Bench) -> Measured:
    """The same start and data: the paths of both losses at one rate, and at half the rate for the one without ½."""
    bench.judge_by_worst()
    at_one_rate: list[float] = []
    at_half: list[float] = []
    first: list[float] = []
    drawn: dict[str, Steps] = {}
    for seed in bench.seeds:
        paths: dict[str, Steps] = {}
        bowl = Bowl(bench.data(bench.config(HALF, seed)))
        for role in (HALF, WHOLE, SLOWER):
            path = paths.setdefault(role, [])
            if seed == bench.seeds[0]:
                drawn[role] = path

            def look(network: Network, path: Steps = path, bowl: Bowl = bowl, seed: int = seed) -> None:
                _, weight, _ = network.weights()[-1]
                path.append((float(weight[0, 0]), float(weight[1, 0])))
                if seed == bench.seeds[0]:
                    bench.show(_picture(drawn, bowl), seed=bench.seeds[0])

            bench.train(role, seed, each_epoch=look)
        at_one_rate.append(_apart(paths[HALF], paths[WHOLE]))
        at_half.append(_apart(paths[HALF], paths[SLOWER]))
        first.append(_length(paths[WHOLE]) / _length(paths[HALF]))
    longest = max(first, key=lambda ratio: abs(ratio - 2))
    apart, same = min(at_one_rate), max(at_half)
    return Measured(
        [
            figure(
                ngettext(
                    "first step without the ½, with it being 1: the length furthest from 2, of {seeds} seed",
                    "first step without the ½, with it being 1: the length furthest from 2, of {seeds} seeds",
                    len(bench.seeds),
                ).format(seeds=len(bench.seeds)),
                longest,
                1.99,
                2.01,
                unit="times as long",
                plain=_("First step without the ½, against that with it"),
            ),
            figure(
                ngettext(
                    "the same rate: how far the paths part in any weight, the least of {seeds} seed",
                    "the same rate: how far the paths part in any weight, the least of {seeds} seeds",
                    len(bench.seeds),
                ).format(seeds=len(bench.seeds)),
                apart,
                low=0.3,
                plain=_("How far the paths part at the same rate"),
            ),
            figure(
                ngettext(
                    "half the rate without the ½: how far the paths part in any weight, the most of {seeds} seed",
                    "half the rate without the ½: how far the paths part in any weight, the most of {seeds} seeds",
                    len(bench.seeds),
                ).format(seeds=len(bench.seeds)),
                same,
                high=SAME,
                plain=_("How far they part at half the rate without the ½"),
            ),
        ],
        _(
            "After each of {total_steps} steps on all samples; of {seeds} draws of the data what "
            "speaks most against the claim."
        ).format(total_steps=bench.config(HALF).total_steps, seeds=len(bench.seeds)),
        _(
            "Without the ½ the first step is {longest} times as long, and the paths part by at least "
            "{apart}; at half the rate they are the same but for rounding, {same}."
        ).format(longest=number(longest), apart=number(apart, 2), same=number(same, 1)),
    )


def _apart(a: Steps, b: Steps) -> float:
    return max(max(abs(p - q) for p, q in zip(left, right, strict=True)) for left, right in zip(a, b, strict=True))


def _length(path: Steps) -> float:
    """Of the first step."""
    return math.dist(*path[:2])


def _picture(drawn: dict[str, Steps], bowl: Bowl) -> Panels:
    """How far both are from the bottom after each step: at the same rate, and with half of it without the ½."""
    panels = []
    for other, title in ((WHOLE, _("Both at one rate")), (SLOWER, _("x at half the rate"))):
        curves = tuple(
            Curve(
                name, [float(step) for step in range(len(path))], [math.dist(at, bowl.goal) for at in path], index, mark
            )
            for index, (name, mark, path) in enumerate(
                ((_("with the ½"), "o", drawn[HALF]), (_("without the ½"), "x", drawn.get(other, [])))
            )
            if path
        )
        ends = (0.0, float(max(1, len(drawn[HALF]) - 1)))
        panels.append(Panel(title, Curves(curves, ends, _("step"), low=0.0, whole=True)))
    return Panels(tuple(panels), columns=2, note=_("distance of the weights from the lowest loss"))


LESSON = book_lesson(
    "half-loss",
    measure=half_loss,
    experiments=(
        Experiment(HALF, {**LINEAR, "implementation": "scratch", "lr": 0.1}),
        Experiment(WHOLE, {**LINEAR, "implementation": "concise", "lr": 0.1}),
        Experiment(SLOWER, {**LINEAR, "implementation": "concise", "lr": 0.05}),
    ),
)

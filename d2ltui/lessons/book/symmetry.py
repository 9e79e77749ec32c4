"""Units that start alike stay alike (section 5.4.1.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.numbers import number, whole_percent

if TYPE_CHECKING:
    from torch import Tensor

    from d2ltui.nn import Network

UNITS = 16
DIGITS = {"model": "mlp", "dataset": "digits", "activation": "sigmoid", "hidden": str(UNITS), "epochs": 15}
EQUAL, RANDOM = "all alike", "random"
PIXEL = 28  # of 8 × 8: one in the middle, where digits differ
SAME = 1e-3  # units whose weights differ by no more than this part of their length are one


def symmetry(bench: Bench) -> Measured:
    """A layer whose units start from the same weights, and one whose units do not."""
    drawn: dict[str, list[list[float]]] = {}
    kinds: dict[str, list[int]] = {EQUAL: [], RANDOM: []}
    accuracy: dict[str, list[float]] = {EQUAL: [], RANDOM: []}
    moved: list[float] = []
    for role in (EQUAL, RANDOM):
        for seed in bench.seeds:
            weights: list[Tensor] = []

            def look(network: Network, role: str = role, seed: int = seed, weights: list[Tensor] = weights) -> None:
                weights.append(_incoming(network))
                if seed == 0:
                    drawn[role] = [[float(then[unit, PIXEL]) for then in weights] for unit in range(len(weights[0]))]
                    bench.show(_picture(drawn), seed=bench.seeds[0])

            run = bench.train(role, seed, each_epoch=look)
            kinds[role].append(_different(weights[-1]))
            accuracy[role].append(run.accuracy)
            if role == EQUAL:
                moved.append(float((weights[-1] - weights[0]).norm()))
    equal, random = mean(kinds[EQUAL]), mean(kinds[RANDOM])
    right, wrong = mean(accuracy[RANDOM]), mean(accuracy[EQUAL])
    alike = _("still one and the same") if equal == 1 else _("{equal} different ones").format(equal=number(equal))
    return Measured(
        [
            figure(
                _("all alike: different units at the end"),
                equal,
                1,
                1,
                plain=_("Different units, of {units}, where all start alike").format(units=UNITS),
            ),
            figure(_("all alike: how far the weights have moved"), mean(moved), low=0.1),
            figure(
                _("random: different units at the end"),
                random,
                UNITS,
                UNITS,
                plain=_("Different units, of {units}, where they start by chance").format(units=UNITS),
            ),
            figure(_("all alike: accuracy"), wrong, high=0.6),
            figure(_("random: accuracy"), right, low=0.8),
            figure(
                _("what random weights gain"), right - wrong, low=0.2, plain=_("Accuracy that a random start gains")
            ),
        ],
        _(
            "{units} units that compute the same are one unit: it turns each sample into a "
            "single number, and the ten digits do not line up along it."
        ).format(units=UNITS),
        _(
            "After {epochs} epochs the {units} units that started alike are {alike}, and the network "
            "is right on {wrong}; those that started by chance are {random} different ones, and right"
            " on {right}."
        ).format(
            epochs=bench.config(EQUAL).epochs,
            units=UNITS,
            alike=alike,
            wrong=whole_percent(wrong),
            random=number(random),
            right=whole_percent(right),
        ),
    )


def _incoming(network: Network) -> Tensor:
    """The first layer's weights (units, inputs), a copy of them."""
    _, weight, _ = network.weights()[0]
    return weight.detach().cpu().T.clone()


def _different(weights: Tensor) -> int:
    """How many of the units differ from all before them."""
    kept: list[Tensor] = []
    for unit in weights:
        if all(float((unit - other).norm()) > SAME * float(other.norm()) for other in kept):
            kept.append(unit)
    return len(kept)


def _picture(drawn: dict[str, list[list[float]]]) -> Panels:
    """The same weight of every unit over the epochs: on one line, or each on its own."""
    values = [value for lines in drawn.values() for line in lines for value in line]
    low, high = min(values), max(values)
    panels = []
    for role, lines in drawn.items():
        curves = tuple(
            Curve("", [float(epoch) for epoch in range(len(line))], line, unit) for unit, line in enumerate(lines)
        )
        ends = (0.0, max(1.0, float(len(lines[0]) - 1)))
        diagram = Curves(curves, ends, _("epoch"), low=low, high=max(high, low + 1e-3), whole=True)
        told = _("{units} alike: {seen}") if role == EQUAL else _("{units} by chance: {seen}")
        seen = _lines_seen(lines, high - low)
        said = ngettext("{count} line", "{count} lines", seen).format(count=seen)
        panels.append(Panel(told.format(units=len(lines), seen=said), diagram))
    return Panels(
        tuple(panels),
        columns=2,
        note=_("each unit's weight from one pixel; colours in turns: on one line"),
    )


def _lines_seen(lines: list[list[float]], span: float) -> int:
    """How many of the units' lines differ from all before them by more than can be seen of the `span`."""
    kept: list[list[float]] = []
    for line in lines:
        if all(max(abs(a - b) for a, b in zip(line, other, strict=True)) > SAME * span for other in kept):
            kept.append(line)
    return len(kept)


LESSON = book_lesson(
    "symmetry",
    measure=symmetry,
    experiments=(
        Experiment(EQUAL, {**DIGITS, "init": "zeros"}),
        Experiment(RANDOM, {**DIGITS, "init": "xavier"}),
    ),
)

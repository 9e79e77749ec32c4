"""Xavier's initialisation keeps the signals' size (section 5.4.2.2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.gradient_norms import geometric_mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.numbers import number, whole_percent

if TYPE_CHECKING:
    from d2ltui.data import Dataset
    from d2ltui.nn import Network

WIDTH, DEPTH = 64, 10
DIGITS = {
    "model": "mlp",
    "dataset": "digits",
    "activation": "identity",
    "hidden": ",".join([str(WIDTH)] * DEPTH),
    "lr": 0.01,
}
SMALL, XAVIER, LARGE = "N(0, 0.01²)", "Xavier", "N(0, 1)"


def xavier(bench: Bench) -> Measured:
    """The sd of each hidden layer's outputs, from three initialisations, and what can be learned from each."""
    from d2ltui.nn import build

    drawn: dict[str, list[float]] = {}
    grown: dict[str, float] = {}
    for experiment in bench.lesson.experiments:
        role, ratios = experiment.role, []
        for seed in bench.seeds:
            bench.go_on()
            config = bench.config(role, seed)
            sds = _sds(build(config), bench.data(config))
            drawn.setdefault(role, sds)
            ratios.append(sds[-1] / sds[0])
        grown[role] = geometric_mean(ratios)
        bench.show(_picture(drawn), seed=bench.seeds[0])
    accuracy = {role: mean(bench.train(role, seed).accuracy for seed in bench.seeds) for role in grown}
    small, kept, large = (grown[role] for role in (SMALL, XAVIER, LARGE))
    return Measured(
        [
            figure(
                f"{SMALL}: sd of the {DEPTH}th layer, the first one's being 1",
                small,
                high=1e-6,
                plain=f"Signal after {DEPTH} layers, the first's being 1: {SMALL}",
            ),
            figure(
                f"{XAVIER}: sd of the {DEPTH}th layer, the first one's being 1",
                kept,
                low=0.2,
                high=5.0,
                plain="The same with Xavier",
            ),
            figure(
                f"{LARGE}: sd of the {DEPTH}th layer, the first one's being 1",
                large,
                low=1e6,
                plain=f"The same with {LARGE}",
            ),
            figure(f"{SMALL}: accuracy", accuracy[SMALL], high=0.3),
            figure(f"{XAVIER}: accuracy", accuracy[XAVIER], low=0.7),
            figure(f"{LARGE}: accuracy", accuracy[LARGE], high=0.3),
        ],
        f"Means over {len(bench.seeds)} draws of the weights. Without activations each layer multiplies the sd by "
        f"√{WIDTH} times that of the weights: {number(WIDTH**0.5 * 0.01)}, 1 or {number(WIDTH**0.5)}. After a few "
        f"epochs the network from Xavier's weights is right on {whole_percent(accuracy[XAVIER])}, the others on "
        f"{whole_percent(accuracy[SMALL])} and {whole_percent(accuracy[LARGE])}.",
        f"From the first layer to the {DEPTH}th the signal shrinks to {number(small, 1)} with weights of sd 0.01, "
        f"stays at {number(kept, 2)} with Xavier's, and grows to {number(large, 1)} with weights of sd 1.",
    )


def _sds(network: Network, data: Dataset) -> list[float]:
    """The sd of each hidden layer's outputs on the training part, from the first layer to the last."""
    import torch

    with torch.no_grad():
        outputs = [float(output.std()) for spec, output in network.trace(data.x_train) if spec.kind == "linear"]
    return outputs[:-1]


def _picture(drawn: dict[str, list[float]]) -> Panels:
    curves = tuple(
        Curve(role, [float(layer) for layer in range(1, len(sds) + 1)], sds, index, "sXl"[index])
        for index, (role, sds) in enumerate(drawn.items())
    )
    values = [sd for sds in drawn.values() for sd in sds if 0 < sd < math.inf]
    low, high = min(values, default=0.1), max(values, default=10.0)
    ends = (1.0, float(max(map(len, drawn.values()))))
    diagram = Curves(curves, ends, "layer", low=low, high=max(high, 10 * low), log=True, whole=True)
    return Panels((Panel("Size of the signal (sd) after each layer", diagram),), columns=1)


LESSON = book_lesson(
    "xavier",
    measure=xavier,
    experiments=(
        Experiment(SMALL, {**DIGITS, "init": "normal", "init_std": 0.01, "epochs": 5}),
        Experiment(XAVIER, {**DIGITS, "init": "xavier", "epochs": 5}),
        Experiment(LARGE, {**DIGITS, "init": "normal", "init_std": 1.0, "epochs": 5}),
    ),
)

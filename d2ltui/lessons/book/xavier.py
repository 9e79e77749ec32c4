"""Xavier's initialisation keeps the signals' size (section 5.4.2.2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, accuracy_figure, outcome
from d2ltui.lessons.gradient_norms import geometric_mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number

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

    by_layer: dict[str, list[float]] = {}
    for experiment in bench.lesson.experiments:
        role, ratios = experiment.role, []
        for seed in bench.seeds:
            bench.go_on()
            config = bench.config(role, seed)
            sds = _sds(build(config), bench.data(config))
            ratios.append([sd / sds[0] for sd in sds])
        by_layer[role] = [geometric_mean(list(layer)) for layer in zip(*ratios, strict=True)]
        bench.show(_picture(by_layer, whole=len(by_layer) == len(bench.lesson.experiments)))
    grown = {role: ratios[-1] for role, ratios in by_layer.items()}
    runs = {role: [bench.train(role, seed) for seed in bench.seeds] for role in grown}
    small, kept, large = (grown[role] for role in (SMALL, XAVIER, LARGE))
    return Measured(
        [
            figure(
                _("{small}: sd of the {depth}th layer's outputs, the first one's being 1").format(
                    small=SMALL, depth=DEPTH
                ),
                small,
                high=1e-6,
                plain=_("Signal after {depth} layers, the first's being 1: {small}").format(depth=DEPTH, small=SMALL),
            ),
            figure(
                _("{xavier}: sd of the {depth}th layer's outputs, the first one's being 1").format(
                    xavier=XAVIER, depth=DEPTH
                ),
                kept,
                low=0.2,
                high=5.0,
                plain=_("The same with Xavier"),
            ),
            figure(
                _("{large}: sd of the {depth}th layer's outputs, the first one's being 1").format(
                    large=LARGE, depth=DEPTH
                ),
                large,
                low=1e6,
                plain=_("The same with {large}").format(large=LARGE),
            ),
            *(
                accuracy_figure(_("{role}: accuracy").format(role=role), runs[role], low, high)
                for role, low, high in ((SMALL, None, 0.3), (XAVIER, 0.7, None), (LARGE, None, 0.3))
            ),
        ],
        _(
            "Means over {seeds} draws of the weights. Without activations each layer multiplies the "
            "standard deviation by √{width} times that of the weights: {small}, 1 or {large}. After a few "
            "epochs of training: with Xavier's weights {xavier_runs}; with a standard deviation of 0.01 "
            "{small_runs}; with one of 1 {large_runs}."
        ).format(
            seeds=len(bench.seeds),
            width=WIDTH,
            small=number(WIDTH**0.5 * 0.01),
            large=number(WIDTH**0.5),
            xavier_runs=outcome(runs[XAVIER]),
            small_runs=outcome(runs[SMALL]),
            large_runs=outcome(runs[LARGE]),
        ),
        _(
            "From the first layer to the {depth}th, a signal of 1 becomes {small} with weights of sd "
            "0.01, {kept} with Xavier's, and {large} with weights of sd 1."
        ).format(depth=DEPTH, small=number(small, 1), kept=number(kept, 2), large=number(large, 1)),
    )


def _sds(network: Network, data: Dataset) -> list[float]:
    """The sd of each hidden layer's outputs on the training part, from the first layer to the last."""
    import torch

    with torch.no_grad():
        outputs = [float(output.std()) for spec, output in network.trace(data.x_train) if spec.kind == "linear"]
    return outputs[:-1]


def _picture(by_layer: dict[str, list[float]], *, whole: bool) -> Panels:
    """The signal's size by layer, the first one's being 1; of the `whole`, the title tells the last one's."""
    curves = tuple(
        Curve(role, [float(layer) for layer in range(1, len(sds) + 1)], sds, index, "sXl"[index])
        for index, (role, sds) in enumerate(by_layer.items())
    )
    values = [sd for sds in by_layer.values() for sd in sds if 0 < sd < math.inf]
    # Whole decades: so the axis has ticks at both ends.
    low, high = (
        10 ** math.floor(math.log10(min(values, default=0.1))),
        10 ** math.ceil(math.log10(max(values, default=10.0))),
    )
    ends = (1.0, float(max(map(len, by_layer.values()))))
    diagram = Curves(curves, ends, _("layer"), low=low, high=max(high, 10 * low), log=True, whole=True)
    title = _("Size of the signal (sd) after each layer")
    if whole:
        grown = ", ".join(number(sds[-1], 1) for sds in by_layer.values())
        title = _("Signal (sd): 1 becomes {grown}").format(grown=grown)
    return Panels((Panel(title, diagram),), columns=1, note=_("the first layer's being 1"))


LESSON = book_lesson(
    "xavier",
    measure=xavier,
    experiments=(
        Experiment(SMALL, {**DIGITS, "init": "normal", "init_std": 0.01, "epochs": 5}),
        Experiment(XAVIER, {**DIGITS, "init": "xavier", "epochs": 5}),
        Experiment(LARGE, {**DIGITS, "init": "normal", "init_std": 1.0, "epochs": 5}),
    ),
)

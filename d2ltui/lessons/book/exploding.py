"""The gradient explodes (section 5.4.1)."""

from __future__ import annotations

import math

from d2ltui.lessons.bench import Bench, accuracy_figure, mean
from d2ltui.lessons.gradient_norms import geometric_mean, gradient_norms
from d2ltui.lessons.measured import Experiment, Measured, figure, shown
from d2ltui.lessons.roles import role_in_words
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Bars, Curve, Curves, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number

DIGITS = {"model": "mlp", "dataset": "digits"}
WIDTH = 64
PRODUCTS, FACTORS = 50, 100

STARTS: tuple[tuple[str, dict[str, object]], ...] = (
    ("torch.nn's own", {"init": "default"}),
    ("Xavier", {"init": "xavier"}),
    ("Kaiming", {"init": "kaiming"}),
    ("N(0, 0.01²)", {"init": "normal", "init_std": 0.01}),
    ("N(0, 0.1²)", {"init": "normal", "init_std": 0.1}),
    ("N(0, 0.5²)", {"init": "normal", "init_std": 0.5}),
    ("N(0, 1)", {"init": "normal", "init_std": 1.0}),
)
ACTIVATIONS = ("sigmoid", "tanh", "relu")
HUGE, TINY = 100.0, 1e-3  # gradient norms


def exploding(bench: Bench) -> Measured:
    """Products of random matrices; a network that starts too large; and how often gradients explode or vanish."""
    import torch

    from d2ltui.nn import build

    generator = torch.Generator().manual_seed(0)
    largest = []
    for _product in range(PRODUCTS):
        product = torch.randn(4, 4, generator=generator, dtype=torch.float64)
        for _factor in range(FACTORS):
            product = product @ torch.randn(4, 4, generator=generator, dtype=torch.float64)
        largest.append(math.log10(float(product.abs().max())))
    gradients, broken, healthy = [], 0, []
    for seed in bench.seeds:
        config = bench.config("large weights", seed)
        gradients.append(max(gradient_norms(build(config), bench.data(config))))
        broken += bench.train("large weights", seed).live.status == "diverged"
        healthy.append(bench.train("Xavier", seed))
    by_layer = {
        role: gradient_norms(build(bench.config(role)), bench.data(bench.config(role)))
        for role in ("large weights", "Xavier")
    }
    bench.show(_picture(by_layer, None))
    exploded = vanished = 0
    for activation in ACTIVATIONS:
        for _name, given in STARTS:
            # A third of the seeds could tip over: the typical network of each kind is counted.
            firsts = []
            for seed in bench.seeds:
                config = bench.config("large weights", seed, activation=activation, **given)
                firsts.append(gradient_norms(build(config), bench.data(config))[0])
            typical = geometric_mean(firsts)
            exploded += typical > HUGE
            vanished += typical < TINY
    typical_large = geometric_mean(gradients)
    ways = len(ACTIVATIONS) * len(STARTS)
    bench.show(_picture(by_layer, (exploded, ways - exploded - vanished, vanished)))
    return Measured(
        [
            figure(
                _("largest entry of a product of {factors} random 4×4 matrices, as a power of ten").format(
                    factors=FACTORS + 1
                ),
                mean(largest),
                19.4,
                30.2,
            ),
            figure(
                _("large weights: largest gradient norm at the start"),
                typical_large,
                low=1e3,
                plain=_("Largest gradient, weights of sd 1"),
            ),
            figure(_("large weights: runs that diverge"), broken / len(bench.seeds), 1, 1, "of all"),
            accuracy_figure(_("the same network from Xavier's weights: accuracy"), healthy, low=0.7),
            figure(
                _("of {starts} ways to start, those whose first layer's gradient is above {huge}").format(
                    starts=3 * len(STARTS), huge=number(HUGE)
                ),
                exploded,
                low=1,
                plain=_("Of {ways} starts, gradient above {huge}").format(ways=ways, huge=number(HUGE)),
            ),
            figure(
                _("of {starts} ways to start, those whose first layer's gradient is below {tiny}").format(
                    starts=3 * len(STARTS), tiny=number(TINY)
                ),
                vanished,
                low=exploded + 1,
                plain=_("Of {ways} starts, gradient below {tiny}").format(ways=ways, tiny=number(TINY)),
            ),
        ],
        _(
            "Of {starts} initialisations with each of three activations, in six hidden layers, "
            "{exploded} explode and {vanished} vanish; sigmoid and tanh cannot explode forward, for "
            "their outputs are bounded."
        ).format(starts=len(STARTS), exploded=exploded, vanished=vanished),
        _(
            "Of {ways} ways to start a network {exploded} blow the gradient up and {vanished} lose "
            "it; the one that starts from weights of sd 1 has gradients of {typical_large}."
        ).format(ways=ways, exploded=exploded, vanished=vanished, typical_large=shown(typical_large)),
    )


def _picture(by_layer: dict[str, list[float]], counts: tuple[int, int, int] | None) -> Panels:
    """The gradient at each layer of a network that explodes and of one that does not, and how often that happens."""
    curves = [
        Curve(role_in_words(role), [float(layer) for layer in range(1, len(norms) + 1)], norms, index, role[0])
        for index, (role, norms) in enumerate(by_layer.items())
    ]
    ends = (1.0, float(max(map(len, by_layer.values()))))
    panels = [Panel(_("Gradient at each layer"), Curves(tuple(curves), ends, _("layer"), log=True, whole=True))]
    if counts is not None:
        names = (_("explodes"), _("lasts"), _("vanishes"))
        bars = Bars(names, tuple(map(float, counts)), (0, 1, 2))
        panels.append(Panel(_("Gradient of {counts} starts").format(counts=sum(counts)), bars))
    note = _("a start: one of {weights} initial weights with one of {activations} activations")
    said = note.format(weights=len(STARTS), activations=len(ACTIVATIONS)) if counts is not None else ""
    return Panels(tuple(panels), columns=2, note=said)


LESSON = book_lesson(
    "exploding",
    measure=exploding,
    experiments=(
        Experiment(
            "large weights",
            {**DIGITS, "init": "normal", "init_std": 1.0, "hidden": ",".join([str(WIDTH)] * 6), "epochs": 2},
        ),
        Experiment("Xavier", {**DIGITS, "init": "xavier", "hidden": ",".join([str(WIDTH)] * 6), "epochs": 8}),
    ),
)

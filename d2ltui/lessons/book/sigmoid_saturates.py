"""Sigmoid saturates (section 5.1.2)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import percent, setting, whole_percent

if TYPE_CHECKING:
    from d2ltui.data import Dataset
    from d2ltui.nn import Network

DIGITS = {"model": "mlp", "dataset": "digits"}
STARTS = (0.01, 0.1, 1.0, 5.0)
SHOWN = (0.1, 5.0)  # those that are drawn
END, BINS = 10.0, 21  # of the drawn inputs


def sigmoid_saturates(bench: Bench) -> Measured:
    """Section 5.1.2's slopes, and the share of saturated outputs against the initial standard deviation."""
    from d2ltui.diagnosis.probes import probe
    from d2ltui.nn import build

    (role,) = (experiment.role for experiment in bench.lesson.experiments)
    shares = []
    note = _("bars: where the inputs lie, at ±10 or beyond; sd: of the weights; no slope, no gradient")
    panels: dict[float, Panel] = {}
    for sd in STARTS:
        found = []
        for seed in bench.seeds:
            config = bench.config(role, seed, init="normal", init_std=sd)
            data = bench.data(config)
            network = build(config)
            layers = probe(network, data.x_train, data.y_train).layers
            found.append(next((layer.saturated for layer in layers if layer.saturated is not None), 0.0))
            if seed == 0 and sd in SHOWN:
                panels[sd] = _panel(network, data, sd, found[0])
                bench.show(Panels(tuple(panels.values()), columns=2, note=note), seed=0)
        shares.append(mean(found))
    # Told is what the verdict tells: the mean of all seeds, though the first is drawn.
    told = [Panel(_title(sd, shares[STARTS.index(sd)]), panel.picture) for sd, panel in panels.items()]
    bench.show(Panels(tuple(told), columns=2, note=note), seed=0)
    activation = bench.config(role).activation
    rising = sum(a < b for a, b in itertools.pairwise(shares[1:]))
    return Measured(
        [
            figure(_("slope at 0"), _slope(activation, 0.0), 0.25, 0.25, plain=_("Slope at 0")),
            figure(_("slope at −8"), _slope(activation, -8.0), 3.34e-4, 3.36e-4),
            figure(_("slope at 8"), _slope(activation, 8.0), 3.34e-4, 3.36e-4, plain=_("Slope at 8")),
            *(
                figure(_("saturated outputs, initial sd {sd}").format(sd=sd), share)
                for sd, share in zip(STARTS, shares, strict=True)
            ),
            figure(_("saturated outputs where the weights start small enough"), max(shares[:2]), 0, 0.01),
            figure(
                _("saturated outputs where they start largest"),
                shares[-1],
                low=0.5,
                unit="of the outputs",
                plain=_("Saturated, with weights of sd {large}").format(large=setting(STARTS[-1])),
            ),
            figure(
                _("of 2 larger standard deviations, those with more saturated outputs than the one before"),
                rising,
                2,
                2,
            ),
        ],
        _(
            "With weights of sd {large}, {many} of the outputs lie where the slope is below 0.01; "
            "with sd {small}, {few}."
        ).format(
            large=setting(STARTS[-1]),
            many=whole_percent(shares[-1]),
            small=setting(STARTS[1]),
            few=percent(shares[1]),
        ),
        _(
            "With small weights (sd {small}) {few} of sigmoid's outputs are saturated, with "
            "large ones (sd {large}) {many}: there the slope is next to 0, and hardly any gradient"
            " passes."
        ).format(
            small=setting(STARTS[1]),
            few=whole_percent(shares[1]),
            large=setting(STARTS[-1]),
            many=whole_percent(shares[-1]),
        ),
    )


def _panel(network: Network, data: Dataset, sd: float, share: float) -> Panel:
    """The activation with its slope, and where the first hidden layer's inputs lie on it."""
    import torch

    from d2ltui.pictures.activation import curve

    (_before, inputs), (spec, _after) = itertools.islice(network.trace(data.x_train), 2)
    module = next(module for known, module in network.layers if known.index == spec.index)
    x, y, slope = curve(module, END)
    counts = torch.histc(inputs.detach().float().clamp(-END, END), bins=BINS, min=-END, max=END)
    middles = [END * (2 * i + 1 - BINS) / BINS for i in range(BINS)]
    curves = (
        Curve(_("sigmoid"), x.tolist(), y.tolist(), 0),
        Curve(_("its slope"), x.tolist(), slope.tolist(), 1),
    )
    diagram = Curves(
        curves,
        x=(-END, END),
        x_label=_("input"),
        low=0.0,
        high=1.0,
        bars=(middles, (counts / counts.max().clamp(min=1) * 0.95).tolist()),
        bars_label=_("inputs"),
    )
    return Panel(_title(sd, share), diagram)


def _title(sd: float, share: float) -> str:
    return _("sd {sd}: {share} saturated").format(sd=setting(sd), share=whole_percent(share))


def _slope(activation: str, at: float) -> float:
    import torch

    from d2ltui.nn import functional

    functions = {"sigmoid": functional.sigmoid, "tanh": functional.tanh, "relu": functional.relu}
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(functions[activation](x), x)
    return float(slope)


LESSON = book_lesson(
    "sigmoid-saturates",
    measure=sigmoid_saturates,
    experiments=(Experiment("sigmoid", {**DIGITS, "activation": "sigmoid", "hidden": "256"}),),
)

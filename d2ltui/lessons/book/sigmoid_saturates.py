"""Sigmoid saturates (section 5.1.2)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.numbers import percent, setting, whole_percent

if TYPE_CHECKING:
    from d2ltui.data import Dataset
    from d2ltui.nn import Network

DIGITS = {"model": "mlp", "dataset": "digits"}
STARTS = (0.01, 0.1, 1.0, 5.0)
SHOWN = (0.1, 5.0)  # those that are drawn
END, BINS = 10.0, 41  # of the drawn inputs


def sigmoid_saturates(bench: Bench) -> Measured:
    """Section 5.1.2's slopes, and the share of saturated outputs against the initial standard deviation."""
    from d2ltui.diagnosis.probes import probe
    from d2ltui.nn import build

    (role,) = (experiment.role for experiment in bench.lesson.experiments)
    shares = []
    panels: list[Panel] = []
    for sd in STARTS:
        found = []
        for seed in bench.seeds:
            config = bench.config(role, seed, init="normal", init_std=sd)
            data = bench.data(config)
            network = build(config)
            layers = probe(network, data.x_train, data.y_train).layers
            found.append(next((layer.saturated for layer in layers if layer.saturated is not None), 0.0))
            if seed == 0 and sd in SHOWN:
                panels.append(_panel(network, data, sd, found[0]))
                note = "sd of the initial weights; no slope, no gradient"
                bench.show(Panels(tuple(panels), columns=2, note=note), seed=0)
        shares.append(mean(found))
    activation = bench.config(role).activation
    rising = sum(a < b for a, b in itertools.pairwise(shares[1:]))
    return Measured(
        [
            figure("slope at 0", _slope(activation, 0.0), 0.25, 0.25, plain="Slope at 0"),
            figure("slope at −8", _slope(activation, -8.0), 3.34e-4, 3.36e-4),
            figure("slope at 8", _slope(activation, 8.0), 3.34e-4, 3.36e-4, plain="Slope at 8"),
            *(figure(f"saturated outputs, initial sd {sd}", share) for sd, share in zip(STARTS, shares, strict=True)),
            figure("saturated outputs where the weights start small enough", max(shares[:2]), 0, 0.01),
            figure(
                "saturated outputs where they start largest",
                shares[-1],
                low=0.5,
                unit="of the outputs",
                plain=f"Saturated, with weights of sd {setting(STARTS[-1])}",
            ),
            figure("steps of sd from 0.1 on at which the share rises", rising, 2, 2),
        ],
        f"With weights of sd {setting(STARTS[-1])}, {whole_percent(shares[-1])} of the outputs lie where the slope "
        f"is below "
        f"0.01; with sd {setting(STARTS[1])}, {percent(shares[1])}.",
        f"With small weights (sd {setting(STARTS[1])}) {whole_percent(shares[1])} of sigmoid's outputs are "
        "saturated, with large "
        f"ones (sd {setting(STARTS[-1])}) {whole_percent(shares[-1])}: there the slope is next to 0, and hardly any "
        f"gradient "
        "passes.",
    )


def _panel(network: Network, data: Dataset, sd: float, share: float) -> Panel:
    """The activation with its slope, and where the first hidden layer's inputs lie on it."""
    import torch

    from d2ltui.pictures.activation import curve

    (_, inputs), (spec, _) = itertools.islice(network.trace(data.x_train), 2)
    module = next(module for known, module in network.layers if known.index == spec.index)
    x, y, slope = curve(module, END)
    counts = torch.histc(inputs.detach().float().clamp(-END, END), bins=BINS, min=-END, max=END)
    middles = [END * (2 * i + 1 - BINS) / BINS for i in range(BINS)]
    curves = (
        Curve("sigmoid", x.tolist(), y.tolist(), 0),
        Curve("its slope", x.tolist(), slope.tolist(), 1),
    )
    diagram = Curves(
        curves,
        x=(-END, END),
        x_label="input",
        low=0.0,
        high=1.0,
        bars=(middles, (counts / counts.max().clamp(min=1) * 0.95).tolist()),
        bars_label="where the inputs lie (at ±10: or beyond)",
    )
    return Panel(f"sd {setting(sd)}: {whole_percent(share)} saturated", diagram)


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

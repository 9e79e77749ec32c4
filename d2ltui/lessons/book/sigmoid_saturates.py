"""Sigmoid saturates (section 5.1.2)."""

from __future__ import annotations

import itertools

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.numbers import percent, setting, whole_percent

DIGITS = {"model": "mlp", "dataset": "digits"}
STARTS = (0.01, 0.1, 1.0, 5.0)


def sigmoid_saturates(bench: Bench) -> Measured:
    """Section 5.1.2's slopes, and the share of saturated outputs against the initial standard deviation."""
    from d2ltui.diagnosis.probes import probe
    from d2ltui.nn import build

    (role,) = (experiment.role for experiment in bench.lesson.experiments)
    shares = []
    for sd in STARTS:
        found = []
        for seed in bench.seeds:
            config = bench.config(role, seed, init="normal", init_std=sd)
            data = bench.data(config)
            layers = probe(build(config), data.x_train, data.y_train).layers
            found.append(next((layer.saturated for layer in layers if layer.saturated is not None), 0.0))
        shares.append(mean(found))
    activation = bench.config(role).activation
    rising = sum(a < b for a, b in itertools.pairwise(shares[1:]))
    return Measured(
        [
            figure("slope at 0", _slope(activation, 0.0), 0.25, 0.25),
            figure("slope at −8", _slope(activation, -8.0), 3.34e-4, 3.36e-4),
            figure("slope at 8", _slope(activation, 8.0), 3.34e-4, 3.36e-4),
            *(figure(f"saturated outputs, initial sd {sd}", share) for sd, share in zip(STARTS, shares, strict=True)),
            figure("saturated outputs where the weights start small enough", max(shares[:2]), 0, 0.01),
            figure("saturated outputs where they start largest", shares[-1], low=0.5),
            figure("steps of sd from 0.1 on at which the share rises", rising, 2, 2),
        ],
        f"With weights of sd {setting(STARTS[-1])}, {whole_percent(shares[-1])} of the outputs lie where the slope "
        f"is below 0.01; with sd {setting(STARTS[1])}, {percent(shares[1])}.",
    )


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

"""Zero-centred or not (section 5.1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Panel, Panels, Raster
from d2ltui.spec.language import _
from d2ltui.spec.numbers import whole_percent

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from d2ltui.lessons.bench import Trained
    from d2ltui.spec.events import LayerStats

SAMPLES, WEIGHTS = 16, 20  # of the picture
DIGITS = {"model": "mlp", "dataset": "digits"}

_CENTRES: dict[str, tuple[float | None, float | None]] = {
    "sigmoid": (0.5, None),
    "ReLU": (0.5, None),
    "tanh": (None, 0.3),
}
_SIGNS = {"sigmoid": (1.0, 1.0), "ReLU": (1.0, 1.0), "tanh": (0.5, 0.8)}


def zero_centred(bench: Bench) -> Measured:
    """Means of the hidden layers' outputs, and the signs of the gradients of a unit's incoming weights."""
    centre: dict[str, float] = {}
    single: dict[str, float] = {}
    batch: dict[str, float] = {}
    drawn: dict[str, npt.NDArray[np.float32]] = {}
    for experiment in bench.lesson.experiments:
        off, alone, together = [], [], []
        for seed in bench.seeds:
            run = bench.train(experiment.role, seed)
            x, y = run.data.x_train[:256], run.data.y_train[:256]
            layers = run.layers(x, y)
            hidden, last = _hidden(layers), layers[-1]
            off.append(abs(hidden.mean) / hidden.sd)
            together.append(last.sign_share or 0.0)
            if seed == 0:
                drawn[experiment.role] = _signs(run)
                bench.show(_picture(drawn), seed=0)
            for i in range(24):
                alone.append(run.layers(x[i : i + 1], y[i : i + 1])[-1].sign_share or 0.0)
        centre[experiment.role], single[experiment.role] = mean(off), mean(alone)
        batch[experiment.role] = mean(together)
    bench.show(_picture(drawn, single), seed=0)
    return Measured(
        [
            *(
                figure(
                    _("{role}: distance of the outputs' mean from 0").format(role=role),
                    centre[role],
                    *band,
                    "standard deviations",
                )
                for role, band in _CENTRES.items()
            ),
            *(
                figure(
                    _("{role}: gradients of a unit's weights of the same sign, one sample").format(role=role),
                    single[role],
                    *band,
                    unit="of the weights",
                    plain=_("{role}: of the same sign, for one sample").format(role=role),
                )
                for role, band in _SIGNS.items()
            ),
            *(
                figure(_("{role}: gradients of the same sign, 256 samples together").format(role=role), share)
                for role, share in batch.items()
            ),
        ],
        _(
            "Of one sample's gradients of the weights into a unit, {single_relu} carry the same sign "
            "with ReLU, {single_sigmoid} with sigmoid; of 256 samples' together, {batch_relu} and "
            "{batch_sigmoid}. 50 % would be an even split."
        ).format(
            single_relu=whole_percent(single["ReLU"]),
            single_sigmoid=whole_percent(single["sigmoid"]),
            batch_relu=whole_percent(batch["ReLU"]),
            batch_sigmoid=whole_percent(batch["sigmoid"]),
        ),
        _(
            "One sample pushes {single_sigmoid} of a unit's weights the same way with sigmoid and "
            "{single_relu} with ReLU, whose outputs are never negative; with tanh, whose outputs lie "
            "around 0, {single_tanh}, and 50 % would be an even split."
        ).format(
            single_sigmoid=whole_percent(single["sigmoid"]),
            single_relu=whole_percent(single["ReLU"]),
            single_tanh=whole_percent(single["tanh"]),
        ),
    )


def _signs(run: Trained) -> npt.NDArray[np.float32]:
    """The signs (samples, weights) of the gradients of one output unit's weights, a row for each sample by itself."""
    import torch

    # Of the unit's own class and of others in turns: the one are pushed up, the others down. In the second half the
    # other way about, so that few rows, which show every second or fourth sample, show both.
    places = [[*((run.data.y_train == 0) == is_own).nonzero()[: SAMPLES // 2, 0]] for is_own in (True, False)]
    chosen = torch.stack([places[(row + 2 * row // SAMPLES) % 2].pop(0) for row in range(SAMPLES)])
    x, y = run.data.x_train[chosen], run.data.y_train[chosen]
    device = next(run.network.parameters()).device
    x, y = x.to(device), y.to(device)
    *_, (_, hidden), (_, outputs) = run.network.trace(x)
    (pushed,) = torch.autograd.grad(run.network.loss(outputs, y), outputs)
    # Of a unit's weights the gradient is hᵢ · ∂L/∂oⱼ for each sample.
    return (hidden[:, :WEIGHTS].sign() * pushed[:, :1].sign()).detach().cpu().numpy()


def _picture(drawn: dict[str, npt.NDArray[np.float32]], shares: Mapping[str, float] | None = None) -> Panels:
    """The signs; of the same sign is the share that is seen, or what `shares` tells of all seeds."""
    panels = []
    for role, signs in drawn.items():
        seen = mean(max((row > 0).sum(), (row < 0).sum()) / max(1, (row != 0).sum()) for row in signs)
        same = (shares or {}).get(role, seen)
        raster = Raster(
            signs,
            (_("gradient below 0"), _("above 0")),
            (_("first weight"), _("{number}th").format(number=signs.shape[1])),
            signs=True,
        )
        panels.append(Panel(f"{role}: {whole_percent(same)}", raster))
    note = _("rows: samples, columns: the weights into one unit; %: pushed the same way")
    return Panels(tuple(panels), columns=3, note=note)


def _hidden(layers: tuple[LayerStats, ...]) -> LayerStats:
    return next(layer for layer in layers if layer.kind == "activation")


LESSON = book_lesson(
    "zero-centred",
    measure=zero_centred,
    experiments=(
        Experiment("sigmoid", {**DIGITS, "activation": "sigmoid", "epochs": 10}),
        Experiment("ReLU", {**DIGITS, "activation": "relu", "epochs": 10}),
        Experiment("tanh", {**DIGITS, "activation": "tanh", "epochs": 10}),
    ),
)

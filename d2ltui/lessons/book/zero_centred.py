"""Zero-centred or not (section 5.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.numbers import whole_percent

if TYPE_CHECKING:
    from d2ltui.spec.events import LayerStats

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
    for experiment in bench.lesson.experiments:
        off, alone, together = [], [], []
        for seed in bench.seeds:
            run = bench.train(experiment.role, seed)
            x, y = run.data.x_train[:256], run.data.y_train[:256]
            layers = run.layers(x, y)
            hidden, last = _hidden(layers), layers[-1]
            off.append(abs(hidden.mean) / hidden.sd)
            together.append(last.sign_share or 0.0)
            for i in range(24):
                alone.append(run.layers(x[i : i + 1], y[i : i + 1])[-1].sign_share or 0.0)
        centre[experiment.role], single[experiment.role] = mean(off), mean(alone)
        batch[experiment.role] = mean(together)
    return Measured(
        [
            *(
                figure(f"{role}: distance of the outputs' mean from 0", centre[role], *band, "sd")
                for role, band in _CENTRES.items()
            ),
            *(
                figure(f"{role}: gradients of a unit's weights of the same sign, one sample", single[role], *band)
                for role, band in _SIGNS.items()
            ),
            *(
                figure(f"{role}: gradients of the same sign, 256 samples together", share)
                for role, share in batch.items()
            ),
        ],
        f"Of one sample's gradients of the weights into a unit, {whole_percent(single['ReLU'])} carry the same sign "
        f"with ReLU, {whole_percent(single['sigmoid'])} with sigmoid; of 256 samples' together, "
        f"{whole_percent(batch['ReLU'])} and {whole_percent(batch['sigmoid'])}. 50 % would be an even split.",
    )


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

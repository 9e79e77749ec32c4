"""More samples, less overfitting (section 3.6.2.2)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from d2ltui.lessons.altered_data import first_samples
from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.roles import role_in_words
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import whole_percent

if TYPE_CHECKING:
    from d2ltui.data import Dataset

    Choose: TypeAlias = Callable[[Dataset, int], Dataset]

SIZES = (20, 60, 200, 600, 1437)
STEPS = 250  # about as many for each size: what differs is the samples
ROLE = "network"


def data_size(bench: Bench, choose: Choose = first_samples) -> Measured:
    """The same network on more and more samples, for the same number of steps."""
    train: dict[int, list[float]] = {}
    val: dict[int, list[float]] = {}
    bench.expect(len(SIZES) * len(bench.seeds))
    for size in SIZES:
        for seed in bench.seeds:
            config = bench.config(ROLE, seed)
            data = choose(bench.data(config), size)
            batch = min(config.batch_size, size)
            epochs = max(1, round(STEPS / math.ceil(size / batch)))
            label = f"{size:,} samples"
            run = bench.train(ROLE, seed, label=label, dataset=data, batch_size=batch, epochs=epochs)
            right = run.outputs(data.x_train).argmax(dim=1) == data.y_train
            train.setdefault(size, []).append(float(right.double().mean()))
            val.setdefault(size, []).append(run.accuracy)
            bench.show(_picture(train, val))
    few, many = SIZES[0], SIZES[-1]
    gap = {size: mean(train[size]) - mean(val[size]) for size in SIZES}
    risen = sum(mean(val[a]) < mean(val[b]) for a, b in itertools.pairwise(SIZES))
    return Measured(
        [
            figure(
                _("{few} samples: accuracy on them").format(few=few), mean(train[few]), low=0.95, unit="of the samples"
            ),
            figure(
                _("{few} samples: accuracy on new ones").format(few=few),
                mean(val[few]),
                high=0.8,
                unit="of the samples",
                plain=_("Right on new samples after learning from {few}").format(few=few),
            ),
            figure(
                _("{many:,} samples: accuracy on new ones").format(many=many),
                mean(val[many]),
                low=0.88,
                unit="of the samples",
                plain=_("Right on new samples after learning from {many:,}").format(many=many),
            ),
            figure(_("{few} samples: the gap between both").format(few=few), gap[few], low=0.2),
            figure(
                _("the gap with {many:,} samples, with {few} being 1").format(many=many, few=few),
                gap[many] / max(gap[few], 1e-9),
                high=0.35,
                plain=_("Gap with {many:,} samples, with {few} being 1").format(many=many, few=few),
            ),
            figure(
                _("of {sizes} larger data sets, those that teach more than the next smaller one").format(
                    sizes=len(SIZES) - 1
                ),
                risen,
                low=len(SIZES) - 2,  # the last two are nearly as good as each other
            ),
        ],
        _("About {steps} steps each, so that what differs is not the length of the training.").format(steps=STEPS),
        _(
            "From {few} samples the network learns those to {train_few} and is right on {val_few} of "
            "new ones; from {many:,} it is right on {val_many}, and the gap shrinks from {gap_few} to"
            " {gap_many}."
        ).format(
            few=few,
            train_few=whole_percent(mean(train[few])),
            val_few=whole_percent(mean(val[few])),
            many=many,
            val_many=whole_percent(mean(val[many])),
            gap_few=whole_percent(gap[few]),
            gap_many=whole_percent(gap[many]),
        ),
    )


def _picture(train: dict[int, list[float]], val: dict[int, list[float]]) -> Panels:
    """Both accuracies over the number of samples; the gap lies between the lines."""
    x = [float(size) for size in val]
    curves = tuple(
        Curve(role_in_words(label), x, [100 * mean(found) for found in part.values()], index, label[0])
        for index, (label, part) in enumerate((("trained samples", train), ("new samples", val)))
    )
    diagram = Curves(curves, (float(SIZES[0]), float(SIZES[-1])), "n", low=0.0, high=100.0, log_x=True)
    title = _("Right in %, by n training samples")
    if len(val) == len(SIZES):
        few, many = (100 * (mean(train[size]) - mean(val[size])) for size in (SIZES[0], SIZES[-1]))
        template = _("% right: {few} apart with n = {small}, {many} with {large}")
        title = template.format(few=round(few), many=round(many), small=SIZES[0], large=SIZES[-1])
    return Panels((Panel(title, diagram),), columns=1)


LESSON = book_lesson(
    "data-size",
    measure=data_size,
    experiments=(Experiment(ROLE, {"model": "mlp", "dataset": "digits", "hidden": "64", "optimizer": "adam"}),),
)

"""A network can learn random labels by heart (section 5.5.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from d2ltui.lessons.altered_data import first_samples, with_random_labels
from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import whole_percent

if TYPE_CHECKING:
    from torch import Tensor

    from d2ltui.data import Dataset
    from d2ltui.history.live import LiveRun
    from d2ltui.nn import Network

SAMPLES = 300
TRUE, RANDOM = "true labels", "random labels"
DIGITS = {"model": "mlp", "dataset": "digits", "optimizer": "adam", "lr": 0.01, "epochs": 60}


def random_labels(bench: Bench, relabel: Callable[[Dataset, int], Dataset] = with_random_labels) -> Measured:
    """The same network and images, with the labels that they have and with random ones."""
    drawn: dict[str, LiveRun] = {}
    train: dict[str, float] = {}
    val: dict[str, float] = {}
    for role in (TRUE, RANDOM):
        at_the_end: list[tuple[float, float]] = []
        for seed in bench.seeds:
            data = first_samples(bench.data(bench.config(role, seed)), SAMPLES)
            if role == RANDOM:
                data = relabel(data, seed)

            def look(network: Network, role: str = role, seed: int = seed) -> None:
                if seed == 0:
                    drawn[role] = bench.runs[-1].live
                    bench.show(_picture(drawn), seed=bench.seeds[0])

            run = bench.train(role, seed, dataset=data, each_epoch=look)
            at_the_end.append((_right(run.outputs(data.x_train), data), run.accuracy))
        train[role], val[role] = (mean(pair[part] for pair in at_the_end) for part in (0, 1))
    return Measured(
        [
            figure(_("true labels: accuracy on the training part"), train[TRUE], low=0.97, unit="of the samples"),
            figure(
                _("true labels: accuracy on new samples"),
                val[TRUE],
                low=0.8,
                unit="of the samples",
                plain=_("Right on new samples after learning true labels"),
            ),
            figure(
                _("random labels: accuracy on the training part"),
                train[RANDOM],
                low=0.97,
                unit="of the samples",
                plain=_("Right on the training samples with random labels"),
            ),
            figure(
                _("random labels: accuracy on new samples"),
                val[RANDOM],
                0.02,
                0.2,
                unit="of the samples",
                plain=_("Right on new samples after learning random labels"),
            ),
        ],
        _(
            "{samples} digits each, ten classes: a guess is right on 10 %. Nothing but the labels "
            "differs, so the network could have learned the others by heart just as well."
        ).format(samples=SAMPLES),
        _(
            "The network is right on {train_random} of the training samples with random labels, and on "
            "{train_true} with true ones; on new samples on {val_random} after random labels, where a "
            "guess is right on 10 %, and on {val_true} after true ones."
        ).format(
            train_random=whole_percent(train[RANDOM]),
            train_true=whole_percent(train[TRUE]),
            val_random=whole_percent(val[RANDOM]),
            val_true=whole_percent(val[TRUE]),
        ),
    )


def _right(outputs: Tensor, data: Dataset) -> float:
    """The share of the training samples whose largest output is that of their label."""
    return float((outputs.argmax(dim=1) == data.y_train).double().mean())


def _picture(drawn: dict[str, LiveRun]) -> Panels:
    """The accuracy on the training samples and on new ones over the epochs, for both kinds of labels."""
    titles = {TRUE: _("True labels: % right"), RANDOM: _("Random labels: % right")}
    panels = []
    for role, live in drawn.items():
        epochs = list(live.epochs)
        x = [float(epoch.epoch) for epoch in epochs]
        curves = (
            Curve(_("training samples"), x, [100 * epoch.train_metric for epoch in epochs], 0, "t"),
            Curve(_("new samples"), x, [100 * epoch.val_metric for epoch in epochs], 1, "n"),
            Curve("", [1.0, float(live.config.epochs)], [10.0, 10.0], faint=True),
        )
        diagram = Curves(curves, (1.0, float(live.config.epochs)), _("epoch"), low=0.0, high=100.0, whole=True)
        panels.append(Panel(titles.get(role, role), diagram))
    return Panels(tuple(panels), columns=2, note=_("faint: a guess"))


LESSON = book_lesson(
    "random-labels",
    measure=random_labels,
    experiments=(Experiment(TRUE, DIGITS), Experiment(RANDOM, DIGITS)),
)

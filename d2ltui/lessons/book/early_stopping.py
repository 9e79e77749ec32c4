"""The best network is not the last one (section 5.5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2ltui.lessons.altered_data import first_samples, with_wrong_labels
from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Curve, Curves, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, whole_percent

if TYPE_CHECKING:
    from d2ltui.history.live import LiveRun
    from d2ltui.nn import Network

SAMPLES, WRONG = 300, 0.3  # how many labels are wrong
ROLE = "network"


def early_stopping(bench: Bench, wrong: float = WRONG) -> Measured:
    """Some of the labels are wrong: what there is to understand is learned first, and then the mistakes by heart."""
    best: list[float] = []
    rise: list[float] = []
    accuracy: list[tuple[float, float]] = []
    for seed in bench.seeds:
        data = first_samples(bench.data(bench.config(ROLE, seed)), SAMPLES)
        data = with_wrong_labels(data, wrong, seed)

        def look(network: Network, seed: int = seed) -> None:
            if seed == 0:
                bench.show(_picture(bench.runs[-1].live, seed), seed=bench.seeds[0])

        epochs = list(bench.train(ROLE, seed, dataset=data, each_epoch=look).live.epochs)
        losses = [epoch.val_loss for epoch in epochs]
        lowest = losses.index(min(losses))
        best.append(epochs[lowest].epoch / len(epochs))
        rise.append(losses[-1] / losses[lowest])
        accuracy.append((epochs[lowest].val_metric, epochs[-1].val_metric))
    early, late = (mean(pair[part] for pair in accuracy) for part in (0, 1))
    total = bench.config(ROLE).epochs
    return Measured(
        [
            figure(
                _("where the validation loss is lowest"),
                mean(best),
                high=0.5,
                unit="of the training",
                plain=_("The validation loss is lowest after"),
            ),
            figure(
                _("the validation loss at the end, the lowest being 1"),
                mean(rise),
                low=1.3,
                plain=_("Validation loss at the end, the lowest being 1"),
            ),
            figure(_("accuracy on new samples where it is lowest"), early),
            figure(_("accuracy on new samples at the end"), late),
            figure(
                _("accuracy that is lost by going on"),
                early - late,
                low=0.03,
                plain=_("Accuracy on new samples that is lost by going on"),
            ),
        ],
        _("{samples} digits, of whose labels {wrong} are wrong; those of the validation part are right.").format(
            samples=SAMPLES, wrong=whole_percent(wrong)
        ),
        _(
            "The validation loss is lowest after {total} of {total_2} epochs, and {rise} times as "
            "high at the end: stopped there, the network is right on {early} of new samples, at the "
            "end on {late}."
        ).format(
            total=number(mean(best) * total, 2),
            total_2=total,
            rise=number(mean(rise), 2),
            early=whole_percent(early),
            late=whole_percent(late),
        ),
    )


def _picture(live: LiveRun, seed: int) -> Panels:
    """Both losses over the epochs, and where the validation loss is lowest."""
    epochs = list(live.epochs)
    x = [float(epoch.epoch) for epoch in epochs]
    val = [epoch.val_loss for epoch in epochs]
    curves = [
        Curve(_("training"), x, [epoch.train_loss for epoch in epochs], 0, "t"),
        Curve(_("validation"), x, val, 1, "v"),
    ]
    lowest, high = val.index(min(val)) if val else 0, max([2.5, *val])
    if val:  # a mark above a line: on the curve, which may be between two rows, it would lie beside it
        curves.append(Curve(_("stop here"), [x[lowest]], [high], 2, "X", joined=False))
        curves.append(Curve("", [x[lowest]] * 2, [0.0, high], 2))
    ends = (1.0, float(live.config.epochs))
    diagram = Curves(tuple(curves), ends, _("epoch"), low=0.0, high=high, whole=True)
    title = _("Loss after each epoch, seed {seed}").format(seed=seed)
    if len(epochs) == live.config.epochs:
        template = _("Loss, seed {seed}: lowest after {epoch} of {epochs} epochs")
        title = template.format(seed=seed, epoch=epochs[lowest].epoch, epochs=len(epochs))
    return Panels((Panel(title, diagram),), columns=1)


LESSON = book_lesson(
    "early-stopping",
    measure=early_stopping,
    experiments=(
        Experiment(
            ROLE, {"model": "mlp", "dataset": "digits", "hidden": "128", "optimizer": "adam", "lr": 0.01, "epochs": 60}
        ),
    ),
)

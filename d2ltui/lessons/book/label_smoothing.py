"""Labels that leave a little room for the other classes (section 4.1.2.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from d2ltui.lessons.altered_data import first_samples
from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.roles import role_in_words
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Bars, Curve, Curves, Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, whole_percent

if TYPE_CHECKING:
    from d2ltui.data import Dataset
    from d2ltui.nn import Network

SAMPLES, SPREAD, CLASSES = 200, 0.1, 10
HARD, SMOOTHED = "labels as they are", "smoothed labels"
DIGITS = {"model": "mlp", "dataset": "digits", "optimizer": "adam", "lr": 0.01, "epochs": 60}
WANTED = math.log(1 + CLASSES * (1 - SPREAD) / SPREAD)  # of the logits that give smoothed labels exactly: 4.51


class Seen(NamedTuple):
    """A network after an epoch, on training samples and on new ones."""

    gap: float  # of training samples, from the mean of the other logits to the largest one
    right: float  # on how many new samples
    sure: float  # the largest probability, of new samples
    of_mistakes: float  # the same of those that it gets wrong; nan where there are none


def label_smoothing(bench: Bench) -> Measured:
    """The same network on the same few samples, with labels as they are and with smoothed ones."""
    runs: dict[str, list[list[Seen]]] = {}
    for role in (HARD, SMOOTHED):
        for seed in bench.seeds:
            data = first_samples(bench.data(bench.config(role, seed)), SAMPLES)
            course: list[Seen] = []
            runs.setdefault(role, []).append(course)
            look = _follower(course, data, lambda: bench.show(_picture(runs)))
            bench.train(role, seed, dataset=data, each_epoch=look)
    hard, smoothed = (_mean(of) for of in _at_the_end(runs).values())
    figures = [
        figure(_("labels as they are: gap of the logits"), hard.gap, low=2 * WANTED),
        figure(
            _("smoothed labels: gap of the logits"),
            smoothed.gap,
            0.9 * WANTED,
            1.1 * WANTED,
            plain=_("Gap of the logits with smoothed labels"),
        ),
        figure(_("labels as they are: accuracy on new samples"), hard.right, unit="of the samples"),
        figure(
            _("smoothed labels: accuracy on new samples"),
            smoothed.right,
            low=hard.right - 0.02,
            unit="of the samples",
            plain=_("Right on new samples with smoothed labels"),
        ),
        figure(_("labels as they are: probability given to a mistake"), hard.of_mistakes),
        figure(
            _("smoothed labels: probability given to a mistake"),
            smoothed.of_mistakes,
            high=hard.of_mistakes - 0.2 if math.isfinite(hard.of_mistakes) else None,
            plain=_("Probability given to a mistake with smoothed labels"),
        ),
        figure(_("labels as they are: probability given to an answer"), hard.sure),
        figure(_("smoothed labels: probability given to an answer"), smoothed.sure),
    ]
    comment = _(
        "Over all new samples it gives its answer {hard} with labels as they are, and {right} are right; with smoothed "
        "ones it gives {smoothed}, and {right_smoothed} are right."
    )
    said = _(
        "The network is right on {right} of new samples with labels as they are, and on {right_smoothed} with smoothed "
        "ones; a mistake it gives a probability of {hard}, and of {smoothed}."
    )
    right = {"right": whole_percent(hard.right), "right_smoothed": whole_percent(smoothed.right)}
    return Measured(
        figures,
        comment.format(hard=whole_percent(hard.sure), smoothed=whole_percent(smoothed.sure), **right),
        said.format(hard=whole_percent(hard.of_mistakes), smoothed=whole_percent(smoothed.of_mistakes), **right),
    )


def _follower(course: list[Seen], data: Dataset, draw: Callable[[], None]) -> Callable[[Network], None]:
    """What to call after each epoch of a run; it changes nothing of the run."""

    def look(network: Network) -> None:
        import torch

        from d2ltui.diagnosis.look import evaluating

        device = next(network.parameters()).device
        with evaluating(network), torch.no_grad():
            known, new = (network(x.to(device)).double().cpu() for x in (data.x_train, data.x_val))
        largest = known.amax(dim=1)
        gap = largest - (known.sum(dim=1) - largest) / (known.shape[1] - 1)
        sure, named = torch.softmax(new, dim=1).max(dim=1)
        right = named == data.y_val
        figures = (gap, right.double(), sure, sure[~right])
        course.append(Seen(*(float(values.mean()) for values in figures)))
        draw()

    return look


def _mean(seen: Sequence[Seen]) -> Seen:
    return Seen(*(mean(values) for values in zip(*seen, strict=True)))


def _at_the_end(runs: Mapping[str, list[list[Seen]]]) -> dict[str, list[Seen]]:
    return {role: [course[-1] for course in of if course] for role, of in runs.items()}


def _picture(runs: Mapping[str, list[list[Seen]]]) -> Panels:
    """The gap of the logits over the epochs; how often it is right on new samples, and how sure where it is not."""
    ended = {role: _mean(of) for role, of in _at_the_end(runs).items()}
    curves = []
    for index, (role, of) in enumerate(runs.items()):
        length = max(map(len, of))
        gaps = [mean(course[epoch].gap for course in of if len(course) > epoch) for epoch in range(length)]
        curves.append(Curve(role_in_words(role), [float(e) for e in range(length)], gaps, index, "ox"[index]))
    last = max(1.0, *(curve.x[-1] for curve in curves))
    level = Curve("", [0.0, last], [WANTED, WANTED], faint=True)
    bars = Bars(
        tuple(
            _("{mark} {share} right").format(mark="ox"[index], share=whole_percent(seen.right))
            for index, seen in enumerate(ended.values())
        ),
        tuple(100 * seen.of_mistakes for seen in ended.values()),
        tuple(range(len(ended))),
        full=100.0,
        form=".0f",
    )
    over_epochs = Curves((*curves, level), (0.0, last), _("epoch"), low=0.0, whole=True)
    note = _("faint: where smoothed labels are met exactly, {wanted}").format(wanted=number(WANTED, 3))
    panels = (Panel(_("Gap of the logits"), over_epochs), Panel(_("% given to a mistake"), bars))
    return Panels(panels, columns=2, note=note)


LESSON = book_lesson(
    "label-smoothing",
    measure=label_smoothing,
    experiments=(Experiment(HARD, DIGITS), Experiment(SMOOTHED, {**DIGITS, "label_smoothing": SPREAD})),
)

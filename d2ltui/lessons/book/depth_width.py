"""Deep or wide, with the same number of parameters (section 5.1.1.4)."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.roles import role_in_words
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec import catalogue
from d2ltui.spec.diagrams import Panel, Panels
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, whole_percent
from d2ltui.spec.pictures import PictureRequest, Regions

if TYPE_CHECKING:
    from d2ltui.data import Dataset
    from d2ltui.nn import Network

TRAIN, VALIDATION, RINGS = 3000, 600, 3
PIXELS = (60, 48)
EVERY, POINTS = 5, 40  # epochs from one picture to the next; samples in it
WIDE, MIDDLE, DEEP = "1 layer", "2 layers", "3 layers"
FIELDS = {"model": "mlp", "dataset": "circles", "batch_size": 256, "optimizer": "adam", "lr": 0.01, "epochs": 60}


def _rings(bench: Bench, seed: int) -> Dataset:
    """A square of random places (x, y) with rings of two classes in turns."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    places = 2 * torch.rand(TRAIN + VALIDATION, 2, generator=generator) - 1
    labels = (places.norm(dim=1) * RINGS).floor().long() % 2
    places = places * 3**0.5  # to an sd of 1
    named = bench.data(bench.config(WIDE, seed))
    classes = (_("one class"), _("the other"))
    info = msgspec.structs.replace(named.info, train_size=TRAIN, val_size=VALIDATION, classes=classes)
    parts = {"x_train": places[:TRAIN], "y_train": labels[:TRAIN], "x_val": places[TRAIN:], "y_val": labels[TRAIN:]}
    return dataclasses.replace(named, info=info, **parts)


def depth_width(bench: Bench) -> Measured:
    """Networks of one, two and three hidden layers with about as many parameters, on rings around each other."""
    drawn: dict[str, tuple[Regions, float]] = {}
    accuracy: dict[str, float] = {}
    parameters: dict[str, int] = {}
    for role in (WIDE, MIDDLE, DEEP):
        found = []
        for seed in bench.seeds:
            data = _rings(bench, seed)
            look = _look(bench, role, data, drawn) if seed == bench.seeds[0] else None
            found.append(bench.train(role, seed, dataset=data, each_epoch=look).accuracy)
        accuracy[role] = mean(found)
        parameters[role] = sum(layer.parameters for layer in catalogue.layer_plan(bench.config(role)))
    # Told is what the verdict tells: the mean of all seeds, though the first is drawn.
    bench.show(_picture({role: (seen, accuracy[role]) for role, (seen, _right) in drawn.items()}), seed=bench.seeds[0])
    wide, middle, deep = accuracy.values()
    most = max(parameters.values()) / min(parameters.values())
    return Measured(
        [
            figure(_("the largest network's parameters, the smallest one's being 1"), most, 1.0, 1.1),
            figure(
                _("{wide}: accuracy").format(wide=role_in_words(WIDE)),
                wide,
                unit="of new samples",
                plain=_("Right with one layer of {units}").format(units=_units(bench, WIDE)),
            ),
            figure(_("{middle}: accuracy").format(middle=role_in_words(MIDDLE)), middle, unit="of new samples"),
            figure(
                _("{deep}: accuracy").format(deep=role_in_words(DEEP)),
                deep,
                low=0.88,
                unit="of new samples",
                plain=_("Right with three layers of {units}").format(units=_units(bench, DEEP)),
            ),
            figure(_("what a second layer gains"), middle - wide),
            figure(
                _("what three layers gain"),
                deep - wide,
                low=0.03,
                plain=_("Accuracy that three layers gain over one"),
            ),
        ],
        _("; ").join(
            _("{role}: {count} weights and biases").format(role=role_in_words(role), count=count)
            for role, count in parameters.items()
        )
        + _(". It is no law for all data: where few bends are needed, one layer does as well."),
        _(
            "With about {values} weights and biases each, the network of one hidden layer is right on"
            " {wide} of new samples, that of two on {middle} and that of three on {deep}."
        ).format(
            values=number(min(parameters.values()), 2),
            wide=whole_percent(wide),
            middle=whole_percent(middle),
            deep=whole_percent(deep),
        ),
    )


def _units(bench: Bench, role: str) -> int:
    return bench.config(role).hidden[0]


def _look(bench: Bench, role: str, data: Dataset, drawn: dict[str, tuple[Regions, float]]) -> Callable[[Network], None]:
    """What draws the regions of the first run of a role, every few epochs."""
    epochs = itertools.count()

    def look(network: Network) -> None:
        from d2ltui.pictures.planes import regions
        from d2ltui.pictures.subject import Subject

        if next(epochs) % EVERY:
            return
        subject = Subject.of(network, data, next(network.parameters()).device)
        with subject.at_rest():
            seen = regions(subject, PictureRequest("regions", *PIXELS))
        seen = msgspec.structs.replace(seen, points=seen.points[:POINTS], labels=seen.labels[:POINTS])
        ended = bench.runs[-1].live.epochs
        drawn[role] = seen, ended[-1].val_metric if ended else 0.0
        bench.show(_picture(drawn), seed=bench.seeds[0])

    return look


def _picture(drawn: dict[str, tuple[Regions, float]]) -> Panels:
    """What each makes of the plane, and how much of it is right."""
    panels = [Panel(f"{role_in_words(role)}: {whole_percent(right)}", seen) for role, (seen, right) in drawn.items()]
    note = _("%: right; about the same number of weights")
    return Panels(tuple(panels), columns=3, note=note, narrowest=16)


LESSON = book_lesson(
    "depth-width",
    measure=depth_width,
    experiments=(
        Experiment(WIDE, {**FIELDS, "hidden": "128"}),
        Experiment(MIDDLE, {**FIELDS, "hidden": "22,22"}),
        Experiment(DEEP, {**FIELDS, "hidden": "16,16,16"}),
    ),
)

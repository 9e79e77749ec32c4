"""Small lessons, and how they are opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from textual.widgets import OptionList, Static

from d2ltui.lessons import LESSONS
from d2ltui.lessons.altered_data import first_samples
from d2ltui.lessons.bench import Bench
from d2ltui.lessons.lesson import Lesson
from d2ltui.lessons.lesson_map import LessonMap
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.trial import Check, Trial
from d2ltui.spec.diagrams import Bars, Panel, Panels
from d2ltui.tui.screens.lessons import LessonsScreen

MOONS = {"model": "softmax", "dataset": "moons", "weight_decay": 0.0}


def measure(bench: Bench) -> Measured:
    """Two short runs and one that could go on for ever, as far as the test is concerned."""
    short, other = bench.train("short", 0), bench.train("other", 0)
    return Measured([figure("accuracy", short.accuracy, 0.5, 1.0), figure("the other's", other.accuracy, 2.0)], "So.")


SMALL_LESSON = Lesson(
    name="small",
    title="A small lesson",
    section="0",
    claim="Two runs differ.",
    formula="a ≠ b",
    text="One paragraph\nin two lines.\n\nAnother.",
    measure=measure,
    experiments=(Experiment("short", {**MOONS, "epochs": 3}), Experiment("other", {**MOONS, "epochs": 5, "lr": 0.5})),
    trials=(Trial("short", {"lr": 0.25}, "Take another rate.", "It is a number.", Check("val_loss", at_least=0.0)),),
)
OTHER_DATA_LESSON = msgspec.structs.replace(
    SMALL_LESSON,
    name="other-data",
    measure=lambda bench: measure_on_other_data(bench),
    trials=(Trial("short", {"lr": 0.3}, "Take another rate.", "It is a number.", Check("val_loss", at_least=0.0)),),
)
ENDLESS_LESSON = Lesson(
    name="endless",
    title="It never ends",
    section="0",
    claim="It can be stopped.",
    formula="",
    text="",
    measure=lambda bench: Measured([figure("accuracy", bench.train("long", 0).accuracy)], ""),
    experiments=(Experiment("long", {**MOONS, "epochs": 1_000_000}),),
)


def measure_on_other_data(bench: Bench) -> Measured:
    """A run whose data are not those that its settings name."""
    run = bench.train("short", 0, dataset=first_samples(bench.data(bench.config("short")), 200))
    return Measured([figure("accuracy", run.accuracy, 0.5)], "So.")


def fail(bench: Bench) -> Measured:
    """A defect of ours."""
    raise ZeroDivisionError("nothing to divide by")


BROKEN_LESSON = Lesson("broken", "It fails", "0", "It cannot be measured.", "", "", measure=fail)


def one(bench: Bench) -> Measured:
    """What has a figure of its own."""
    bench.show(Panels((Panel("one", Bars(("one",), (1.0,))),)))
    plain = "How many there are of what there is one of, counted for the {} time"
    return Measured(
        [figure("one", 1.0, 1.0, 1.0, plain=plain.format(n)) for n in ("first", "second", "third")], "It is."
    )


MAPPED_LESSON = Lesson(
    name="mapped",
    title="It has a map",
    section="0",
    claim="Rates differ.",
    formula="",
    text="",
    measure=one,
    map=LessonMap({**MOONS, "epochs": 1}, "lr=0.1:1:2", "seed=0,1", "val_loss", "Two rates, and two seeds."),
)
UNTRAINED_LESSON = Lesson(
    name="untrained",
    title="It trains nothing",
    section="0",
    claim="One is one.",
    formula="1 = 1",
    text="There is nothing to train.",
    measure=one,
    see="one, to be seen",
)


@contextmanager
def registered() -> Iterator[None]:
    """They are among the lessons."""
    added = (SMALL_LESSON, OTHER_DATA_LESSON, ENDLESS_LESSON, BROKEN_LESSON, UNTRAINED_LESSON, MAPPED_LESSON)
    for lesson in added:
        LESSONS.register(lesson)
    try:
        yield
    finally:
        for lesson in added:
            LESSONS.forget(lesson.name)


def verdict(screen: LessonsScreen) -> str:
    return str(screen.query_one("#verdict", Static).content)


async def open_lesson(person: object, name: str) -> LessonsScreen:
    await person.press("L")  # type: ignore[attr-defined]
    screen = person.app.screen  # type: ignore[attr-defined]
    assert isinstance(screen, LessonsScreen)
    screen.query_one(OptionList).highlighted = list(LESSONS).index(name)
    await person.settle()  # type: ignore[attr-defined]
    return screen

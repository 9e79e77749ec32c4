"""The lessons: reading, running, judging."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from person import ENDLESS, Opener, Starter
from textual.widgets import OptionList, Static

from d2ltui.lessons import LESSONS
from d2ltui.lessons.altered_data import first_samples
from d2ltui.lessons.bench import Bench
from d2ltui.lessons.lesson import Lesson
from d2ltui.lessons.lesson_map import LessonMap
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.lessons.trial import Check, Trial
from d2ltui.spec.diagrams import Bars, Panel, Panels
from d2ltui.store import home
from d2ltui.store.listing import runs
from d2ltui.tui.screens.dialogs import TextScreen
from d2ltui.tui.screens.lessons import LessonsScreen
from d2ltui.tui.screens.map import MapScreen
from tests.selection import long_after

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


@pytest.fixture(autouse=True)
def lessons() -> Iterator[None]:
    added = (SMALL_LESSON, OTHER_DATA_LESSON, ENDLESS_LESSON, BROKEN_LESSON, UNTRAINED_LESSON, MAPPED_LESSON)
    for lesson in added:
        LESSONS.register(lesson)
    yield
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


async def test_every_lesson_has_a_page(open_app: Opener) -> None:
    async with open_app({}) as person:
        await person.press("L")
        screen = person.app.screen
        assert isinstance(screen, LessonsScreen)
        for name, lesson in LESSONS.items():
            assert screen.lesson is lesson, name
            page = str(screen.query_one("#page", Static).content)
            assert lesson.claim in verdict(screen)
            assert lesson.formula in page
            assert lesson.example in page
            await person.press("down")
        await person.press("escape")
        assert person.app.screen is person.main


@pytest.mark.parametrize("size", long_after(1, [(120, 40), (80, 24), (200, 60)], whole=True))
async def test_experiments_run_before_ones_eyes_and_are_judged(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app({}, size=size) as person:
        screen = await open_lesson(person, "small")
        await person.press("enter")
        await person.until(lambda: "does not hold" in verdict(screen), "the verdict")
        said = verdict(screen)
        assert "✓ accuracy" in said
        assert "✗ the other's" in said
        assert "claimed: at least 2" in said
        # No figure of its own: the curves of what it trains.
        await person.until(lambda: "short" in person.text() and "other" in person.text(), "both curves")


async def test_a_measurement_is_stopped_and_another_begun(open_app: Opener) -> None:
    async with open_app({}) as person:
        screen = await open_lesson(person, "endless")
        await person.press("enter")
        await person.until(lambda: "run 1 of 3: long" in verdict(screen), "the run")
        await person.press("x")
        await person.until(lambda: "stopped by you" in verdict(screen), "the end")
        assert person.app.measuring.join(30)
        screen.query_one(OptionList).highlighted = list(LESSONS).index("small")
        await person.settle()
        await person.press("enter")
        await person.until(lambda: "does not hold" in verdict(screen), "the other lesson's verdict")


async def test_a_lesson_and_a_run_never_overlap(open_app: Opener) -> None:
    async with open_app(ENDLESS) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        await open_lesson(person, "endless")
        await person.press("enter")
        assert not person.app.measuring.busy
        await person.press("escape", "x")
        await person.until_word("stopped")
        assert person.app.worker.join(30)
        await open_lesson(person, "endless")
        await person.press("enter")
        await person.until(lambda: person.app.measuring.measures(ENDLESS_LESSON), "the lesson's run")
        await person.press("escape")
        live = person.app.live
        await person.press("ctrl+r")
        assert person.app.live is live
        assert "a lesson is being measured" in person.status
        person.app.measuring.stop()
        assert person.app.measuring.join(30)


async def test_a_run_of_another_process_does_not_stand_in_the_way(
    open_app: Opener, train_elsewhere: Starter, d2ltui_home: Path
) -> None:
    async with open_app({}) as person:
        other = await train_elsewhere(person)
        await person.until(lambda: any(run.status == "training" for run in runs()), "the other process's run")
        person.app.stored.watch(home.path_of(runs()[0].name))
        await person.until_word("training")
        screen = await open_lesson(person, "small")
        await person.press("enter")
        await person.until(lambda: "does not hold" in verdict(screen), "the verdict")
        # x ends what this screen has begun, and nothing of the other process.
        await person.press("x")
    assert other.poll() is None


async def test_the_whole_error_of_a_lesson_that_failed_can_be_read(open_app: Opener) -> None:
    async with open_app({}) as person:
        screen = await open_lesson(person, "broken")
        await person.press("t")
        assert person.app.screen is screen
        await person.press("enter")
        await person.until(lambda: "nothing to divide by" in verdict(screen), "the failure")
        assert "t shows" in verdict(screen)
        await person.press("t")
        assert isinstance(person.app.screen, TextScreen)
        assert "Traceback" in str(person.app.screen.query_one(Static).content)
        await person.press("escape")
        assert person.app.screen is screen
        # What another lesson ends with has nothing of it.
        screen.query_one(OptionList).highlighted = list(LESSONS).index("endless")
        await person.settle()
        await person.press("t")
        assert person.app.screen is screen
        await person.press("enter")
        await person.until(lambda: "run 1 of 3: long" in verdict(screen), "the run")
        await person.press("x")
        await person.until(lambda: "stopped by you" in verdict(screen), "the end")
        await person.press("t")
        assert person.app.screen is screen


async def test_what_a_lesson_has_found_is_kept(open_app: Opener) -> None:
    async with open_app({}, size=(120, 40)) as person:
        screen = await open_lesson(person, "untrained")
        await person.until(lambda: "enter runs" in verdict(screen), "a lesson that has not been measured")
        await person.press("enter")
        await person.until(lambda: "The claim holds" in verdict(screen), "a verdict")
        await person.until(lambda: "✓ 0       It trains nothing" in person.text(), "its mark in the list")
        screen.query_one(OptionList).highlighted = list(LESSONS).index("small")
        await person.until(lambda: "enter runs" in verdict(screen), "another lesson")
        await person.press("escape", "L")
        again = person.app.screen
        assert isinstance(again, LessonsScreen)
        assert again is not screen
        assert again.lesson is SMALL_LESSON
        again.query_one(OptionList).highlighted = list(LESSONS).index("untrained")
        await person.until(lambda: "The claim holds" in verdict(again), "the verdict on another visit")
        await person.until(lambda: "One, to be seen." in person.text(), "the figure on another visit")
    # And in another session, with the day on which it was measured.
    async with open_app({}, size=(120, 40)) as person:
        screen = await open_lesson(person, "untrained")
        await person.until(lambda: "The claim holds. It is." in verdict(screen), "the verdict of the last session")
        await person.until(lambda: "██" in person.text(), "its figure")
        assert "measured on 20" in person.text()
        screen.query_one(OptionList).highlighted = list(LESSONS).index("small")
        await person.until(lambda: "enter runs" in verdict(screen), "a lesson that was never measured")
        assert "measured on" not in person.text()


@pytest.mark.parametrize("size", long_after(1, [(80, 24), (100, 30), (120, 40), (200, 60)], whole=True))
async def test_figure_and_verdict_are_always_on_the_screen(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app({}, size=size) as person:
        screen = await open_lesson(person, "untrained")
        said = screen.query_one("#verdict", Static)
        await person.press("enter")
        for _ in range(4):  # the list, the figure, the page, and once round
            await person.until(lambda: "The claim holds. It is." in person.text(), "the verdict")
            await person.until(
                lambda: said.visual.get_height(said.styles, said.size.width) <= said.size.height, "whole figures"
            )
            await person.until(lambda: "██" in person.text(), "the figure")
            assert "One, to be seen." in person.text() or size == (80, 24)
            await person.press("tab")
        figure, page = screen.query_one("#figure-pane"), screen.query_one("#page-pane")
        assert figure.region.y == page.region.y or figure.region.x == page.region.x
        assert figure.size.height >= (8 if size == (80, 24) else 12)
        drawn = screen.query_one("#figure").size.height
        assert drawn >= 10 or drawn == figure.size.height, "where there is little room, all of it is the figure's"
        # From the figure on, a narrow list makes room; the page scrolls, and both stay.
        assert screen.query_one("#list-pane").display == (size[0] >= 100)
        await person.press("pagedown", "down", "up")
        await person.until(lambda: "The claim holds" in person.text(), "the verdict")


async def test_an_experiment_goes_into_the_form(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "digits", "lr": 0.7}, size=(120, 40)) as person:
        await open_lesson(person, "small")
        await person.press("e", "down", "enter")
        assert person.app.screen is person.main
        form = person.setup.state
        assert [form[name] for name in ("model", "dataset", "epochs", "lr")] == ["softmax", "moons", "5", "0.5"]
        # Below the experiments stands what to try: a second e goes there, and the arrows from one to the next.
        await open_lesson(person, "sigmoid-saturates")
        await person.until(lambda: "enter run the experiments" in person.text(), "what enter does in the list")
        await person.press("e", "e")
        await person.until(lambda: "standard deviation 5" in person.text(), "what to try")
        await person.until(lambda: "enter into the form" in person.text(), "what enter does here")
        assert "run the experiments" not in person.text().splitlines()[-1]
        await person.press("down", "up", "enter")
        assert person.app.screen is person.main
        assert person.setup.state["init_std"] == "5"
        # One that trains nothing says so, in a line that the next key takes away.
        screen = await open_lesson(person, "untrained")
        await person.press("e")
        assert person.app.screen is screen
        assert "this lesson trains nothing" in person.text()
        await person.press("down")
        assert "this lesson trains nothing" not in person.text()


async def test_a_lessons_runs_and_what_is_tried_of_it_are_in_the_store_and_told(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "digits"}, size=(120, 40)) as person:
        screen = await open_lesson(person, "small")
        assert "→ 3.1" in person.text(), "what is next"
        await person.press("enter")
        await person.until(lambda: "does not hold" in verdict(screen), "the verdict")
        await person.until(lambda: f"1 of {len(LESSONS)} seen, 0 of " in person.text(), "that it was seen")
        # An experiment goes into the form, and its last run on the screen.
        await person.press("e", "enter")
        await person.until(lambda: person.app.run_name.startswith("small-short-"), "the run of the experiment")
        assert person.setup.state["epochs"] == "3"
        given = LESSONS["small"].experiments[0].given
        assert set(given) <= set(person.setup.state.chosen()), "what it gives stays when another field is changed"
        # What is to be tried is trained, and the page tells what came of it.
        screen = await open_lesson(person, "small")
        await person.press("e", "e", "enter")
        assert person.setup.state["lr"] == "0.25"
        told = [notice.message for notice in person.app._notifications]
        assert "Take another rate. What to expect: It is a number. ctrl+r trains it" in told
        await person.press("ctrl+r")
        await person.until_word("finished")
        assert person.app.worker.join(30)
        await person.until(lambda: "You tried it: validation loss" in person.status, "what came of it, at once")
        assert "As expected. L: back to the lesson" in person.status
        screen = await open_lesson(person, "small")
        assert screen.focused is screen._page_pane.trials[0], "L opens the page where the change stands"
        await person.until(
            lambda: f"seen, 1 of {sum(len(lesson.trials) for lesson in LESSONS.values())} tried" in person.text(),
            "that it was tried",
        )
        await person.until(lambda: "✓ You tried it: validation loss" in person.text(), "what came of it")


async def test_a_run_on_a_lessons_own_data_comes_to_the_screen_after_something_to_try(open_app: Opener) -> None:
    async with open_app({}, size=(120, 40)) as person:
        screen = await open_lesson(person, "other-data")
        await person.press("enter")
        await person.until(lambda: "holds" in verdict(screen), "the verdict")
        await person.press("e", "e", "enter")
        assert person.app.measuring.chosen == 0
        screen = await open_lesson(person, "other-data")
        screen.set_focus(screen._page_pane.experiments[0])
        await person.press("enter")
        await person.until(lambda: person.app.run_name.startswith("other-data-short"), "the run of the experiment")
        await person.until_word("finished")
        assert not person.live.is_configured
        await person.press("tab")
        assert "You tried it" not in person.status


async def test_enter_below_the_verdict_goes_on_to_what_to_try_and_measures_nothing_again(open_app: Opener) -> None:
    async with open_app({}, size=(120, 40)) as person:
        screen = await open_lesson(person, "small")
        screen.set_focus(screen._page_pane)
        await person.press("enter")  # nothing was measured: that comes first
        await person.until(lambda: "does not hold" in verdict(screen), "the verdict")
        measured = person.app.measuring.of(LESSONS["small"])
        screen.set_focus(screen._page_pane)
        await person.press("enter")
        assert screen.focused is screen._page_pane.experiments[0]
        assert person.app.measuring.of(LESSONS["small"]) is measured
        # In the list it measures, as often as one likes.
        screen.set_focus(screen._list_pane.options)
        await person.press("enter")
        assert person.app.measuring.of(LESSONS["small"]) is not measured


async def test_lessons_are_run_one_after_the_other_while_one_reads(open_app: Opener) -> None:
    async with open_app({}, size=(120, 40)) as person:
        screen = await open_lesson(person, "endless")
        await person.press("enter")
        await person.until(lambda: "run 1 of 3: long" in verdict(screen), "the run")
        screen.query_one(OptionList).highlighted = list(LESSONS).index("untrained")
        await person.settle()
        await person.press("enter")
        await person.until(lambda: "waits for “It never ends” to end" in verdict(screen), "that it waits")
        screen.query_one(OptionList).highlighted = list(LESSONS).index("endless")
        await person.until(lambda: "1 lesson after it" in verdict(screen), "that another one waits")
        person.app.measuring.of(ENDLESS_LESSON).bench.stop()
        screen.query_one(OptionList).highlighted = list(LESSONS).index("untrained")
        await person.until(lambda: "The claim holds" in verdict(screen), "the verdict of the one that waited")


@pytest.mark.parametrize("key", long_after(1, ["pagedown", "pageup", "down", "end"]))
async def test_a_list_without_room_bears_any_key(open_app: Opener, key: str) -> None:
    async with open_app({}, size=(80, 24)) as person:
        await person.press("L")
        await person.pilot.resize_terminal(1, 1)
        await person.settle()
        await person.press(key)
        options = person.app.screen.query_one(OptionList)
        options.replace_option_prompt("small", "small!")
        await person.press(key)
        await person.pilot.resize_terminal(80, 24)
        options.highlighted = 0
        await person.until(lambda: "learner" in person.text(), "the list again")


async def test_no_title_is_cut(open_app: Opener) -> None:
    async with open_app({}, size=(80, 24)) as person:
        screen = await open_lesson(person, "yield")
        page = screen.query_one("#page-pane")
        await person.until(lambda: "A generator hands out the data" in str(page.border_title), "the title")
        frames = [line for line in person.text().splitlines() if "─╮" in line or "─╯" in line]
        assert frames
        assert not [line for line in frames if "…" in line]


async def test_the_map_of_a_lesson_is_trained_by_a_key_and_a_cell_goes_into_the_form(open_app: Opener) -> None:
    async with open_app({}, store=False) as person:
        lessons = await open_lesson(person, "untrained")
        await person.press("m")
        assert person.app.screen is lessons
        lessons.query_one(OptionList).highlighted = list(LESSONS).index("mapped")
        await person.settle()
        assert "Two rates, and two seeds." in str(lessons.query_one("#page", Static).content)
        assert "d2ltui map --x lr=0.1:1:2 --y seed=0,1 --show val_loss" in str(
            lessons.query_one("#page", Static).content
        )
        await person.press("m")
        maps = person.app.maps
        await person.until(lambda: maps.present is not None and maps.present.complete and not maps.busy, "the map")
        assert maps.quantity == "val_loss"
        assert "val_loss" in person.text()
        first = maps.present
        await person.press("escape", "m")  # it is there already
        assert maps.present is first
        await person.press("enter")
        await person.settle()
        assert not isinstance(person.app.screen, (LessonsScreen, MapScreen))
        assert person.app.screen.described().epochs == 1  # type: ignore[attr-defined]

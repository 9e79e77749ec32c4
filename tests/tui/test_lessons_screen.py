"""The lessons: reading, running, judging."""

from __future__ import annotations

from pathlib import Path

import pytest
from person import ENDLESS, Opener, Starter
from small_lessons import ENDLESS_LESSON, SMALL_LESSON, open_lesson, verdict
from textual.widgets import OptionList, Static

from d2ltui.lessons import LESSONS
from d2ltui.store import home
from d2ltui.store.listing import runs
from d2ltui.tui.screens.dialogs import TextScreen
from d2ltui.tui.screens.lessons import LessonsScreen
from d2ltui.tui.screens.map import MapScreen
from tests.selection import long_after

pytestmark = pytest.mark.usefixtures("small_lessons")


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

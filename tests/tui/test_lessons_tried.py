"""From a lesson into the form, and what is tried there."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from person import PATIENCE, Opener
from small_lessons import open_lesson, verdict

from d2ltui.lessons import LESSONS
from d2ltui.store import home, listing
from d2ltui.tui.screens import outcomes
from d2ltui.tui.services.lesson_store import LessonsStored

pytestmark = pytest.mark.usefixtures("small_lessons")


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
        assert "As expected: at least 0. L: back to the lesson" in person.status
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


async def test_an_experiment_that_is_chosen_before_the_store_has_been_read_brings_its_run(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_read, read = threading.Event(), LessonsStored.read
    monkeypatch.setattr("d2ltui.tui.screens.lessons.PATIENCE", PATIENCE)

    def slowly(stored: LessonsStored, *, writes: bool) -> None:
        may_read.wait(PATIENCE)
        read(stored, writes=writes)

    async with open_app({}, size=(120, 40)) as person:
        screen = await open_lesson(person, "small")
        await person.press("enter")
        await person.until(lambda: "does not hold" in verdict(screen), "the verdict")
        await person.press("escape")
        monkeypatch.setattr(LessonsStored, "read", slowly)
        screen = await open_lesson(person, "small")
        await person.press("e", "enter")
        await person.until(lambda: "looking for the stored run" in person.text(), "what it waits for")
        await person.press("enter")
        assert person.app.screen is screen
        # It is forgotten by who leaves.
        await person.press("escape")
        screen = await open_lesson(person, "small")
        await person.press("e", "enter")
        may_read.set()
        await person.until(lambda: person.app.run_name.startswith("small-short-"), "the run of the experiment")
        assert person.app.screen is person.main


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


async def test_of_many_runs_the_list_is_read_once_when_the_one_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    run = listing.RunInfo("tried-1", Path("tried-1"), "training")
    states, read = iter(["training", "training", "training", "finished"]), []
    monkeypatch.setattr(outcomes, "BETWEEN", 0.0)
    monkeypatch.setattr(home, "path_of", Path)
    monkeypatch.setattr(listing, "info", lambda path: msgspec.structs.replace(run, status=next(states)))
    monkeypatch.setattr(listing, "runs", lambda: read.append("runs") or [])
    host = SimpleNamespace(run_name="tried-1", training=False, ascii=False)
    await outcomes.Outcomes(lambda said: None)._look_up(LESSONS["small"], 0, host)  # type: ignore[arg-type]
    assert read == ["runs"]
    assert next(states, "") == ""

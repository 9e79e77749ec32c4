"""A window that becomes larger and smaller."""

from __future__ import annotations

import pytest
from person import ENDLESS, WIDE, Opener, Person, shown_panes, until_fitting

from tests.selection import long_after


async def resized(person: Person, width: int, height: int) -> None:
    """Wait until the screen has the size, and its panes have followed."""
    await person.pilot.resize_terminal(width, height)
    await person.until(lambda: person.app.screen.size == (width, height), "another size")
    await person.settle()


async def test_a_smaller_window_shows_the_run_and_not_its_form(open_app: Opener) -> None:
    async with open_app(ENDLESS, size=(120, 40)) as person:
        await resized(person, 80, 24)
        await person.until(lambda: "loss" not in shown_panes(person), "the form: no run goes on")
        await person.pilot.resize_terminal(120, 40)
        await person.press("ctrl+r")
        await person.until_word("training")
        await person.pilot.resize_terminal(80, 24)
        await person.until(lambda: shown_panes(person) == ["loss"], "the curve")
        assert person.focused_pane == "loss"
        await person.press("shift+tab")
        assert "form-pane" in shown_panes(person)
        await resized(person, 70, 24)
        assert "form-pane" in shown_panes(person), "as it was left"


@pytest.mark.parametrize("field", long_after(1, ["Input", "ChoiceField"]))
async def test_a_smaller_window_leaves_who_edits_the_form_there(open_app: Opener, field: str) -> None:
    async with open_app(ENDLESS, size=(120, 40)) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        edited = person.main.query_one("#form-pane").query(field).first().focus()
        await person.settle()
        if field == "ChoiceField":
            await person.press("enter")  # the list of choices is in front
            await resized(person, 80, 24)
            await person.press("escape")
        else:
            await resized(person, 80, 24)
        assert "form-pane" in shown_panes(person)
        assert person.main.focused is edited


async def test_resized_at_any_moment_while_training(open_app: Opener) -> None:
    async with open_app(ENDLESS) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        for width, height in ((80, 24), (200, 60), (20, 5), (500, 150), (120, 40)):
            before = person.live.step
            await resized(person, width, height)
            assert person.app.size == (width, height)
            await person.until(lambda before=before: person.live.step > before, "more steps")
            assert len(person.text().split("\n")) == height
        await person.press("space")
        await person.until_word("paused")
        for width, height in ((80, 24), (200, 60), (120, 40)):
            await resized(person, width, height)
            await until_fitting(person)


@pytest.mark.parametrize(
    "sizes",
    long_after(
        1,
        [((7, 7), (1, 1), (300, 1)), ((99, 3), (40, 10), (7, 7), (3, 2), (2, 1), (1, 1), (1, 40), (300, 1))],
        whole=True,
    ),
    ids=len,
)
async def test_down_to_one_cell(open_app: Opener, sizes: tuple[tuple[int, int], ...]) -> None:
    async with open_app(ENDLESS) as person:
        await person.press("s")
        await person.until_word("paused")
        for size in sizes:
            await person.pilot.resize_terminal(*size)
            await person.settle()
            for keys in (("z",), ("tab", "z"), ("?",), ("escape", "l"), ("q",), ("escape",)):
                await person.press(*keys)
            assert person.app.is_running
        await person.pilot.resize_terminal(120, 40)
        if person.main._zoomed:
            await person.press("z")
        await person.until(lambda: shown_panes(person) == WIDE, "columns")
        await until_fitting(person)

"""What is drawn when a layout changes: no more than it needs, and in the size that it has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from person import ENDLESS, Opener, Person
from textual.events import Resize
from textual.geometry import Region, Size
from textual.widget import Widget

from d2ltui.charts.of_run import Curves
from d2ltui.charts.spec import ChartSpec
from d2ltui.tui.panes.chart import ChartPane
from d2ltui.tui.panes.chart_reading import rows_for_reading
from d2ltui.tui.panes.spec import RunView
from d2ltui.tui.render.cached import FrameOnly
from tests.selection import long_after


async def test_nothing_below_a_dialog_is_drawn_and_all_of_it_afterwards(open_app: Opener) -> None:
    async with open_app(ENDLESS) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        await person.press("?")
        await person.until(lambda: not person.main.is_active, "the dialog")
        status, step = person.status, person.live.step
        chart = person.main.query_one("#loss", ChartPane)
        frames = chart.frames
        await person.until(lambda: person.live.step > step + 50, "steps")
        await asyncio.sleep(0.5)  # some frames' time
        assert (person.status, chart.frames) == (status, frames)
        await person.press("escape")
        await person.until(lambda: person.status != status, "the status of now")


def counted_layouts(person: Person) -> tuple[list[Size | None], Callable[..., None]]:
    """The sizes of the main screen's layouts from now on, as they come; and the layout itself, not counted."""
    layouts: list[Size | None] = []
    original = person.main._refresh_layout

    def counted(size: Size | None = None, scroll: bool = False) -> None:
        layouts.append(size)
        original(size, scroll)

    person.main._refresh_layout = counted  # type: ignore[method-assign]
    return layouts, original


async def test_a_new_size_needs_one_layout_and_the_same_one_none(open_app: Opener) -> None:
    """Textual tells each screen of its size three times when it is first shown."""
    async with open_app() as person:
        layouts, _ = counted_layouts(person)
        person.main.post_message(Resize(person.app.size, person.app.size))
        await person.settle()
        assert layouts == []
        await person.pilot.resize_terminal(130, 40)
        await person.until(lambda: person.main.size == (130, 40), "the new size")
        await person.settle()
        assert [size for size in layouts if size is not None] == [(130, 40)]


@pytest.mark.parametrize("size", long_after(1, [(120, 40), (80, 24)], whole=True))
async def test_what_fits_needs_one_layout(open_app: Opener, size: tuple[int, int]) -> None:
    """Every layout of the whole screen is 10 to 30 ms of a key's answer."""
    async with open_app(size=size) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        await person.until_drawn("loss")
        await person.settle()  # how the run ended takes a second line of a narrow terminal
        layouts, _ = counted_layouts(person)
        await person.press("z")
        await person.until_drawn("loss")
        await person.settle()
        assert len(layouts) == 1


async def test_a_character_in_a_field_needs_no_layout_and_the_end_of_a_long_text_is_seen(open_app: Opener) -> None:
    async with open_app({"model": "mlp"}) as person:
        await person.select("lr")
        await person.press("enter", "0")  # what was said before is gone, and its line
        layouts, _ = counted_layouts(person)
        await person.press("5")
        assert person.setup.state["lr"] == "0.105"
        assert "0.105" in person.text()
        for _ in range(40):
            person.setup.screen.focused.insert_text_at_cursor("0")  # type: ignore[union-attr]
        await person.press("7", "8", "9")
        assert "000789 " in person.text()
        await person.press("home")
        assert "0.105000" in person.text()
        assert layouts == []


async def test_a_chart_that_cannot_be_drawn_is_told_of_once_and_the_run_goes_on(
    open_app: Opener, d2ltui_home: Path
) -> None:
    def broken(curves: Curves, view: RunView, width: int, height: int) -> ChartSpec:
        nonlocal drawings
        drawings += 1
        raise ZeroDivisionError(f"defect {drawings}")  # in other words each time

    drawings = 0
    async with open_app(ENDLESS) as person:
        loss = person.main.query_one("#loss", ChartPane)
        loss._builder = broken
        await person.press("ctrl+r")
        await person.until(lambda: loss.frames > 2, "more drawings")
        assert "this chart cannot be drawn" in person.text()
        assert person.word == "training"
        (notice,) = person.app._notifications
        assert "ZeroDivisionError" in notice.message
        (log,) = d2ltui_home.glob("failed-*.log")
        assert log.read_text().endswith("ZeroDivisionError: defect 1\n")


@pytest.mark.parametrize("size", long_after(1, [(120, 40), (80, 24), (200, 60)], whole=True))
async def test_a_zoomed_chart_is_asked_for_in_the_size_that_it_then_has(
    open_app: Opener, size: tuple[int, int]
) -> None:
    async with open_app(size=size) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        loss = person.main.query_one("#loss", ChartPane)
        await person.until_drawn("loss")
        await person.settle()
        asked: list[Size] = []
        builder = loss._builder

        def noting(curves: Curves, view: RunView, width: int, height: int, asked: list[Size] = asked) -> ChartSpec:
            asked.append(Size(width, height))
            return builder(curves, view, width, height)

        loss._builder = noting
        for _ in range(2):  # full screen, and back
            await person.until(lambda: loss._shown[1] == tuple(loss.view.size), "a drawing in the present size")
            asked.clear()
            before = loss.view.size
            await person.press("z")
            await person.until(lambda before=before: loss.view.size != before, "the new size")  # type: ignore[misc]
            await person.until(lambda: loss._shown[1] == tuple(loss.view.size), "a drawing in it")
            await person.settle()
            width, height = loss.view.size
            assert asked == [Size(width, height - rows_for_reading(width, height))]


@pytest.mark.parametrize("size", long_after(1, [(120, 40), (80, 24)], whole=True))
async def test_a_frame_rendered_once_for_all_its_rows_is_what_textual_renders(
    open_app: Opener, size: tuple[int, int]
) -> None:
    async with open_app(size=size) as person:

        def compare() -> None:
            for hollow in person.main._compositor.visible_widgets:
                if not isinstance(hollow, FrameOnly):
                    continue
                whole = Region(0, 0, *hollow.outer_size)
                parts = [whole, Region(0, 0, whole.width, 1), *whole.split(whole.width // 2, whole.height // 2)]
                for crop in parts if whole else []:
                    assert hollow.render_lines(crop) == Widget.render_lines(hollow, crop)

        compare()
        await person.press("tab")  # another focus
        compare()
        await person.press("ctrl+t")  # another theme
        compare()
        await person.pilot.resize_terminal(size[0] + 30, size[1] + 7)
        await person.settle()
        compare()
        await person.press("z")
        compare()


@pytest.mark.parametrize("size", long_after(1, [(80, 24), (120, 40)], whole=True))
async def test_the_machine_is_told_whole_while_training(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app(ENDLESS, size=size) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        await person.until(lambda: "steps/s" in person.status, "the speed")

        def told() -> bool:
            """Whole, in the one line or the other, and as it is on the screen."""
            lines = person.status.split("\n")
            whole = any("cpu" in line and "mem" in line and "gpu" in line for line in lines)
            return whole and all(len(line) <= size[0] - 2 and line.rstrip() in person.text() for line in lines)

        await person.until(told, "the machine")


async def test_sizes_of_earlier_layouts_chase_each_other_no_longer(open_app: Opener) -> None:
    """Two layouts in two sizes, before the first has been told of, each had the other done again, without end."""
    async with open_app() as person:
        layouts, original = counted_layouts(person)
        original(Size(90, 30))
        person.main.call_later(lambda: None)  # Textual takes the last of Resize events that follow each other
        original(person.app.size)
        await person.settle()
        before = len(layouts)
        await asyncio.sleep(0.3)
        assert len(layouts) == before
        assert person.main.size == person.app.size

"""The frames between panes are dragged with the mouse."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from person import Opener
from textual.geometry import Region

from d2ltui.store import pane_sizes
from d2ltui.tui.screens.boundaries import Boundary, boundary_at, divided

COLUMNS = [("curves", Region(30, 0, 50, 40)), ("inside", Region(80, 0, 40, 40))]
PANES = {
    "curves": [("loss", Region(30, 0, 50, 20)), ("accuracy", Region(30, 20, 50, 20))],
    "inside": [("activations", Region(80, 0, 40, 30)), ("findings", Region(80, 30, 40, 10))],
}


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ((79, 7), Boundary("curves", "inside", True)),
        ((80, 7), Boundary("curves", "inside", True)),
        ((40, 19), Boundary("loss", "accuracy", False)),
        ((40, 20), Boundary("loss", "accuracy", False)),
        ((100, 30), Boundary("activations", "findings", False)),
        ((40, 10), None),
        ((40, 0), None),
        ((119, 5), None),
        ((30, 5), None),
        ((10, 19), None),
    ],
)
def test_which_frame_is_at_a_place(place: tuple[int, int], found: Boundary | None) -> None:
    assert boundary_at(*place, COLUMNS, PANES) == found


@given(st.integers(8, 100), st.integers(8, 100), st.integers(-200, 200), st.floats(0.5, 3), st.floats(0.5, 3))
def test_two_neighbours_share_what_they_have(first: int, second: int, moved: int, a: float, b: float) -> None:
    left, right = divided(first, second, moved, (a, b), beside=False)
    assert left + right == pytest.approx(a + b)
    rows = left / (a + b) * (first + second)
    assert rows == pytest.approx(min(first + second - 4, max(4, first + moved)))


async def test_a_frame_is_dragged_and_its_place_remembered(d2ltui_home: Path, open_app: Opener) -> None:
    async with open_app(size=(140, 45)) as person:
        loss, accuracy, inside = (person.main.query_one(f"#{name}") for name in ("loss", "accuracy", "inside"))
        x, y = loss.region.x + 10, loss.region.bottom - 1
        before = loss.region
        await person.pilot.mouse_down(offset=(x, y))  # a click moves nothing, and is nothing to be remembered
        await person.pilot.hover(offset=(x, y))
        await person.pilot.mouse_up(offset=(x, y))
        assert person.main._factors == {}
        await person.pilot.mouse_down(offset=(x, y))
        await person.pilot.hover(offset=(x, y + 6))
        await person.until(lambda: loss.region.height == before.height + 6, "a higher pane")
        assert accuracy.region.y == loss.region.bottom
        await person.pilot.mouse_up(offset=(x, y + 6))
        await person.pilot.hover(offset=(x, y))  # it has been let go
        await person.settle()
        assert loss.region.height == before.height + 6
        x, wide = inside.region.x, inside.region.width
        await person.pilot.mouse_down(offset=(x, 5))
        await person.pilot.hover(offset=(x - 12, 5))
        await person.until(lambda: inside.region.width == wide + 12, "a wider column")
        await person.pilot.hover(offset=(0, 5))
        await person.until(lambda: loss.region.width >= 20 and inside.region.width > wide + 12, "as far as it goes")
        await person.pilot.hover(offset=(x - 12, 5))
        await person.pilot.mouse_up(offset=(x - 12, 5))
        await person.until(lambda: {"loss", "accuracy", "curves", "inside"} <= set(pane_sizes.read()), "the file")
        sizes = loss.region.size
    async with open_app(size=(140, 45)) as person:
        await person.until(lambda: person.main.query_one("#loss").region.size == sizes, "the sizes of the last time")

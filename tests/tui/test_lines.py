"""LinesView: what it shows, and how little it draws again."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.geometry import Region

from d2ltui.tui.widgets.lines import Line, LinesView, changed_cells

runs = st.lists(st.tuples(st.integers(0, 2), st.text("ab│", max_size=4)), max_size=5)


def cells(line: Line) -> list[tuple[int, str]]:
    return [(style, character) for style, text in line for character in text]


@given(runs, runs)
def test_changed_cells_are_the_smallest_range_that_differs(old: Line, new: Line) -> None:
    before, after = cells(old), cells(new)
    found = changed_cells(old, new)
    longest = max(len(before), len(after))
    differing = [
        x for x in range(longest) if x >= len(before) or x >= len(after) or before[x] != after[x]
    ]  # brute force
    if not differing:
        assert found is None or found[0] >= found[1]
        return
    assert found == (differing[0], differing[-1] + 1)


@given(runs)
def test_a_line_does_not_differ_from_itself(line: Line) -> None:
    assert changed_cells(line, [tuple(run) for run in line]) is None


class Watched(LinesView):
    """Remembers what it was asked to draw again."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Region, ...]] = []

    def refresh(self, *regions: Region, **options: bool) -> Watched:  # type: ignore[override]
        self.asked.append(regions)
        super().refresh(*regions, **options)
        return self


class Host(App[None]):
    def compose(self) -> ComposeResult:
        yield Watched()

    def shown(self) -> list[str]:
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]


def plain(*texts: str) -> Sequence[Line]:
    return [[(0, text)] for text in texts]


async def test_show_draws_again_only_the_cells_that_changed() -> None:
    app = Host()
    async with app.run_test(size=(20, 5)) as pilot:
        view = app.query_one(Watched)
        assert view.show(plain("one", "two", "three")) == 3
        await pilot.pause()
        assert app.shown() == ["one", "two", "three", "", ""]
        view.asked.clear()
        assert view.show(plain("one", "two", "three")) == 0
        assert view.asked == []
        assert view.show(plain("one", "tuo", "three")) == 1
        assert view.asked == [(Region(1, 1, 1, 1),)]
        await pilot.pause()
        assert app.shown() == ["one", "tuo", "three", "", ""]
        assert view.show(plain("one", "tu", "three!")) == 2
        assert view.asked[1:] == [(Region(2, 1, 1, 1),), (Region(5, 2, 1, 1),)]
        await pilot.pause()
        assert app.shown() == ["one", "tu", "three!", "", ""]


async def test_a_long_list_scrolls_and_a_shorter_one_comes_back_into_view() -> None:
    app = Host()
    async with app.run_test(size=(20, 5)) as pilot:
        view = app.query_one(Watched)
        view.show(plain(*(f"line {number}" for number in range(100))))
        await pilot.pause()
        assert app.shown()[0].startswith("line 0")
        view.scroll_end(animate=False)
        await pilot.pause()
        assert [line.split("▁")[0].split("▇")[0][:7] for line in app.shown()] == [f"line {n}" for n in range(95, 100)]
        # A changed line out of sight costs nothing; one in sight is drawn where it is.
        view.asked.clear()
        view.show(plain("LINE 0", *(f"line {number}" for number in range(1, 99)), "line XX"))
        assert view.asked == [(Region(5, 4, 2, 1),)]
        await pilot.pause()
        assert app.shown()[4].startswith("line XX")
        view.show(plain("a", "b"))
        await pilot.pause()
        assert app.shown() == ["a", "b", "", "", ""]
        view.show([])
        await pilot.pause()
        assert app.shown() == [""] * 5


async def test_colours_follow_the_theme() -> None:
    app = Host()
    async with app.run_test(size=(20, 2)) as pilot:
        view = app.query_one(Watched)
        view.show([[(4, "text")]])
        await pilot.pause()
        dark = next(segment.style for segment in view.render_line(0) if segment.text == "text")
        app.theme = "textual-light"
        await pilot.pause()
        light = next(segment.style for segment in view.render_line(0) if segment.text == "text")
        assert dark is not None
        assert light is not None
        assert dark.color != light.color

"""CachedRender and FrameOnly: what they keep is what Textual would draw, whatever changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from d2ltui.tui.render.cached import CachedRender
from d2ltui.tui.render.stylesheet import ThemeStylesheet
from d2ltui.tui.widgets.lines import LinesView
from d2ltui.tui.widgets.pane import Pane


class Word(CachedRender, Widget):
    DEFAULT_CSS = "Word { height: 2; background: $panel; color: $warning; padding: 0 1; }"
    rendered = 0
    text = "one"

    def render(self) -> Content:
        self.rendered += 1
        return Content(self.text)


class Host(App[None]):
    AUTO_FOCUS = ""
    CSS = ".tinted { background: $success; } .wide { background: $error; border: round red; } Pane { height: 6; }"

    def compose(self) -> ComposeResult:
        yield Word()
        self.view = LinesView()
        with Pane("Title", self.view, id="pane", can_focus=True):
            pass
        yield Static("far away")

    def on_mount(self) -> None:
        self.view.show([[(1, "first "), (2, "run")], [(3, "second")]])


def drawn(app: App[None]) -> list[Strip]:
    return app.screen._compositor.render_strips()


def looks(strip: Strip) -> list[tuple[object, ...]]:
    """Each cell's character, colours and weight."""
    return [
        (character, style.color, style.bgcolor, style.bold)
        for text, style, _ in strip
        if style is not None
        for character in text
    ]


def drawn_anew(app: App[None]) -> list[Strip]:
    """The same with everything forgotten that anybody kept."""
    for widget in app.screen.walk_children(with_self=True):
        assert isinstance(widget, Widget)
        widget.notify_style_update()
        widget.refresh()
    return drawn(app)


CHANGES: dict[str, Callable[[Host], object]] = {
    "text": lambda app: (setattr(app.query_one(Word), "text", "two"), app.query_one(Word).refresh()),
    "class": lambda app: app.query_one(Word).add_class("wide"),
    "pane's class": lambda app: app.query_one(Pane).add_class("wide"),
    "the background behind": lambda app: app.screen.add_class("tinted"),
    "theme": lambda app: setattr(app, "theme", "textual-light"),
    "title": lambda app: app.query_one(Pane).title("Another"),
    "subtitle": lambda app: app.query_one(Pane).subtitle("below"),
    "focus": lambda app: app.query_one(Pane).focus(),
    "lines": lambda app: app.view.show([[(1, "other")], [(3, "second")]]),
    "more lines": lambda app: app.view.show([[(1, str(number))] for number in range(20)]),
    "hidden": lambda app: setattr(app.query_one(Word), "display", False),
    "inline style": lambda app: setattr(app.query_one(Word).styles, "background", "blue"),
    "width": lambda app: setattr(app.query_one(Pane).styles, "width", 20),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_after_any_change_the_screen_is_what_it_would_be_drawn_anew(change: str) -> None:
    app = Host()
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot.pause()
        before = drawn(app)
        assert any("second" in strip.text for strip in before)
        CHANGES[change](app)
        await pilot.pause()
        await pilot.pause()
        after = drawn(app)
        assert [list(strip) for strip in after] != [list(strip) for strip in before], "the change is to be seen"
        assert [list(strip) for strip in after] == [list(strip) for strip in drawn_anew(app)]


async def test_a_resize_draws_everything_in_the_new_size() -> None:
    app = Host()
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot.pause()
        drawn(app)
        for size in ((60, 12), (25, 9), (40, 12)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert [list(strip) for strip in drawn(app)] == [list(strip) for strip in drawn_anew(app)]


async def test_what_has_not_changed_is_not_rendered_again() -> None:
    app = Host()
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot.pause()
        drawn(app)
        word = app.query_one(Word)
        crop = word.outer_size.region
        rows, count = word.render_lines(crop), word.rendered
        app.query_one(Static).update("nearer")
        await pilot.pause()
        assert word.render_lines(crop) is rows
        assert word.rendered == count


async def test_lines_look_as_textual_itself_would_draw_them() -> None:
    """LinesView goes around Textual's own way from a line to the screen: the result has to be the same."""

    class Plain(LinesView):
        def render_lines(self, crop):  # type: ignore[no-untyped-def]
            self._look = (self.size.width, ())
            return Widget.render_lines(self, crop)

    class Both(App[None]):
        CSS = "LinesView { height: 3; } .tinted { background: $success 30%; }"

        def compose(self) -> ComposeResult:
            yield LinesView()
            yield Plain()

    app = Both()
    async with app.run_test(size=(30, 6)) as pilot:
        for view in app.query(LinesView):
            view.show([[(number, f"style {number} ") for number in range(4)], [(7, "warning")]])
        await pilot.pause()
        for name in ("", "tinted"):
            for view in app.query(LinesView):
                view.set_class(bool(name), "tinted")
            await pilot.pause()
            rows = [looks(strip) for strip in drawn(app)]
            assert rows[:3] == rows[3:]


class Framed(App[None]):
    """Two panes beside each other, in an application that knows what its styles come to."""

    AUTO_FOCUS = ""
    CSS = """
    Screen { layout: horizontal; }
    Pane { width: 1fr; height: 1fr; }
    .odd { background: $error; }
    #three:last-child { padding: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.stylesheet = ThemeStylesheet(variables=self.get_css_variables())

    def compose(self) -> ComposeResult:
        yield Pane("One", id="one", can_focus=True)
        yield Pane("Two", id="two", can_focus=True)
        yield Pane("Three", id="three", can_focus=True)


def count_drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, int]]:
    """What Textual is asked to draw of panes from now on: whose row, and which."""
    drawn, original = [], CachedRender._draw_rows

    def draw(self: CachedRender, crop: Region) -> list[Strip]:
        if isinstance(self, Pane):
            drawn.append((self.id, crop.y))
        return original(self, crop)

    monkeypatch.setattr(CachedRender, "_draw_rows", draw)
    return drawn


async def test_a_frame_in_a_look_that_it_had_before_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Framed()
    async with app.run_test(size=(60, 12)) as pilot:
        one, two = app.query_one("#one", Pane), app.query_one("#two", Pane)
        for _ in range(2):
            await pilot.press("tab", "tab", "shift+tab")
            await pilot.pause()
        await pilot.press("tab")
        await pilot.pause()
        drawn = count_drawn(monkeypatch)
        await pilot.press("shift+tab")
        two.display = False  # as where another pane is zoomed
        await pilot.pause()
        two.display = True
        await pilot.pause()
        drawn_of_two = [row for name, row in drawn if name == "two"]
        assert not drawn_of_two
        drawn.clear()
        one.title("Another")
        await pilot.pause()
        assert drawn == [("one", 0)]


async def test_a_frame_is_what_textual_draws_whatever_has_changed() -> None:
    app = Framed()

    def compare() -> None:
        for pane in app.query(Pane):
            whole = Region(0, 0, *pane.outer_size)
            kept = pane.render_lines(whole)
            pane._styles_cache.clear()
            assert list(map(looks, kept)) == list(map(looks, Widget.render_lines(pane, whole)))

    async with app.run_test(size=(60, 12)) as pilot:
        one, three = app.query_one("#one", Pane), app.query_one("#three", Pane)
        changes: list[Callable[[], object]] = [
            lambda: app.screen.set_focus(one),
            lambda: app.screen.set_focus(three),
            lambda: one.subtitle("step 1"),
            lambda: one.add_class("odd"),
            lambda: setattr(one.styles, "background", "red"),
            lambda: setattr(one.styles, "background", None),
            lambda: setattr(app.screen.styles, "background", "blue"),
            lambda: one.remove_class("odd"),
            lambda: setattr(app, "theme", "textual-light"),
            lambda: setattr(app, "theme", "textual-dark"),
            lambda: setattr(one.styles, "height", 5),
            lambda: setattr(one, "border_subtitle", None),
            lambda: three.remove(),
        ]
        compare()
        for change in changes:
            change()
            await pilot.pause()
            compare()

"""Keys change styles piece by piece; the screen then looks as it does with all of them looked up anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from emulator import CONSOLE, Look, drawn_anew
from person import Opener, Person
from textual._compositor import Compositor
from textual.app import App
from textual.color import Color
from textual.css import stylesheet
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from d2ltui.tui.render import focus, internals
from d2ltui.tui.render.app import FrameApp
from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.render.kept_rules import KeptRules
from d2ltui.tui.render.stylesheet import ThemeStylesheet
from d2ltui.tui.widgets.fields import ChoiceField
from d2ltui.tui.widgets.lines import Line, LinesView
from d2ltui.tui.widgets.pane import Pane
from tests.selection import long_after

SIZE = (120, 40)
FIGURES = 3  # the lowest rows: the machine's figures are among them, which change by themselves
SHORT = "tab tab down;z;tab ctrl+t"
SEQUENCE = "tab down;shift+tab;tab tab down enter;1;escape;tab;z;tab ctrl+t;z tab;ctrl+t escape"


def looks(person: Person) -> list[list[Look]]:
    """What stands above the status line, drawn anew from what the widgets have."""
    strips = person.app.screen._compositor.render_strips()
    return drawn_anew(strips, *SIZE)[: SIZE[1] - FIGURES]


def style_anew(screen: Screen[object]) -> None:
    """Look up every style as Textual does, and forget every row that was kept."""
    stylesheet = screen.app.stylesheet
    Stylesheet.reparse(stylesheet)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThemeStylesheet, "replace_rules", Stylesheet.replace_rules)
        patch.setattr(ThemeStylesheet, "apply", Stylesheet.apply)
        stylesheet.update(screen)
    for widget in screen.walk_children(Widget):
        widget.notify_style_update()
        widget.refresh(layout=True)


def rules_of(screen: Screen[object]) -> dict[str, object]:
    """What the rules have come to for each widget of a screen, and for its parts."""
    found: dict[str, object] = {}
    for number, node in enumerate(screen.walk_children(with_self=True)):
        styles = {"": node.styles, **node._component_styles}
        for part, of_part in styles.items():
            for name, value in of_part.base.get_rules().items():
                found[f"{number} {node} {part} {name}"] = type(value) if name == "layout" else value
    return found


async def at_rest(person: Person) -> None:
    """Until nothing waits to be laid out or drawn."""

    def rests() -> bool:
        screen = person.app.screen
        flags = ("_layout_required", "_repaint_required", "_scroll_required", "_refresh_styles_required")
        waits = any(getattr(node, flag) for node in screen.walk_children(Widget, with_self=True) for flag in flags)
        return not (waits or screen._callbacks or screen._dirty_widgets or person.app._next_callbacks)

    await person.settle()
    await person.until(rests, "a screen at rest")


@pytest.mark.parametrize("sequence", long_after(1, [SHORT, SEQUENCE]), ids=["short", "whole"])
async def test_no_style_is_left_behind(open_app: Opener, sequence: str) -> None:
    async with open_app(size=SIZE, store=False) as person:
        for text in person.main.query(Input):
            text.cursor_blink = False
        done: list[str] = []
        for keys in sequence.split(";"):
            done.append(keys)
            await person.press(*keys.split())
            await at_rest(person)
            before = looks(person)
            style_anew(person.app.screen)
            await at_rest(person)
            assert looks(person) == before, done


async def test_what_is_kept_of_rules_is_what_they_come_to_for_every_widget_and_every_application(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = 0
    plain = Stylesheet.apply

    def counted(self: Stylesheet, node: DOMNode, **options: Any) -> None:
        nonlocal looked_up
        looked_up += 1
        plain(self, node, **options)

    monkeypatch.setattr(KeptRules, "_all", [])  # another test may have opened one before
    costs = []
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(Stylesheet, "apply", counted)
            looked_up = 0
            async with open_app(size=SIZE, store=False) as person:
                await person.press("tab", "L")
                costs.append(looked_up)
                patch.undo()
                for screen in person.app.screen_stack:
                    kept = rules_of(screen)
                    style_anew(screen)
                    assert rules_of(screen) == kept
    assert costs[0] > 20
    assert costs[1] < costs[0] / 4


async def test_a_key_is_answered_before_another_message_is_read(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a run trains, each message may cost a wait for the interpreter's lock."""
    sent: list[str] = []

    def display(self: App[object], screen: Screen[object], renderable: object) -> None:
        if renderable is not None:
            sent.append(renderable.render_segments(CONSOLE))  # type: ignore[attr-defined]

    async with open_app(size=(160, 45), store=False) as person:
        monkeypatch.setattr(App, "_display", display)
        screen = person.app.screen
        assert isinstance(screen, BatchedScreen)
        *_, other, last = (pane for pane in person.main.query(Pane) if pane.region.area)
        screen.refresh()
        screen.show_now()
        for pane in (last, other):
            sent.clear()
            screen.set_focus(pane)
            assert pane.has_focus
            assert pane.styles.border_title_style.bold
            screen.show_now()
            assert [str(pane.border_title).split()[0] in frame for frame in sent] == [True], (pane.border_title, sent)
            assert len(sent[0].encode()) < 2000, "frames, and not what is in them"
        assert not last.has_focus
        assert not last.styles.border_title_style.bold
        sent.clear()
        above = screen.find_widget(other).region.bottom
        last.display = False
        screen.show_now()
        assert len(sent) == 1
        assert screen.find_widget(other).region.bottom > above, "a new layout, too"


async def test_a_focus_that_moves_styles_and_draws_what_looks_otherwise_alone(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the columns around the panes, and nothing of what these hold; back from a dialog, no line is cut up."""
    async with open_app(size=(160, 45), store=False) as person:
        screen = person.app.screen
        assert isinstance(screen, BatchedScreen)
        charts = [person.main.query_one(f"#{name}", Pane) for name in ("loss", "accuracy")]
        screen.set_focus(charts[1])
        await at_rest(person)
        styled: list[Widget] = []
        drawn: list[object] = []
        apply, strip = ThemeStylesheet.apply, LinesView._strip

        def noted(self: ThemeStylesheet, node: Widget, **options: Any) -> None:
            if node.is_attached and isinstance(node, Widget):
                styled.append(node)
            apply(self, node, **options)

        def noted_strip(self: LinesView, line: Line) -> Strip:
            drawn.append(line)
            return strip(self, line)

        monkeypatch.setattr(ThemeStylesheet, "apply", noted)
        monkeypatch.setattr(LinesView, "_strip", noted_strip)
        screen.set_focus(charts[0])
        screen.show_now()
        assert styled == charts
        assert drawn == []
        await person.press("question_mark", "escape")
        await at_rest(person)
        monkeypatch.setattr(Compositor, "_render_chops", None)
        screen.refresh()
        screen.show_now()


async def test_another_theme_parses_no_rules_twice_and_refreshes_little(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_app(size=SIZE, store=False) as person:
        for text in person.main.query(Input):
            text.cursor_blink = False
        await person.press("ctrl+t")
        await at_rest(person)
        with monkeypatch.context() as patch:
            patch.setattr(stylesheet, "parse", None)  # the application began with the other one
            await person.press("ctrl+t", "ctrl+t")
            await at_rest(person)
        styled, refreshed = looks(person), 0
        refresh = Widget._set_dirty

        def counted(self: Widget, *regions: Region) -> None:
            nonlocal refreshed
            refreshed += 1
            refresh(self, *regions)

        with monkeypatch.context() as patch:
            patch.setattr(Widget, "_set_dirty", counted)
            patch.setattr(stylesheet, "parse", None)
            patch.setattr(Input, "render_line", None)  # a form that looks as it did is not drawn again
            patch.setattr(ChoiceField, "render", None)
            patch.setattr(LinesView, "get_component_rich_style", None)  # nor are a chart's colours looked up again
            person.app.action_toggle_theme()
            widgets = len(person.app.screen.walk_children())
            assert refreshed < 1.5 * widgets, "each once, but for a few"
            person.main.show_now()
        await at_rest(person)
        light = looks(person)
        assert light != styled
        person.app.stylesheet.add_source("Pane { color: red; }")  # as a screen that is opened for the first time does
        await person.press("ctrl+t")
        await at_rest(person)
        assert {rule.color.rgb for rule in (pane.styles for pane in person.main.query(Pane))} == {(255, 0, 0)}


def test_style_sheets_of_one_theme_share_what_they_parse_from_the_first_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ThemeStylesheet, "_of_themes", {})
    first, second = ThemeStylesheet(variables={"a": "red"}), ThemeStylesheet(variables={"a": "red"})
    assert first._parse_cache is second._parse_cache


def test_what_is_styled_while_others_are_takes_no_refresh_from_them(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet, first, within, last = ThemeStylesheet(), Widget(), Widget(), Widget()
    sheet.add_source("Widget { color: red; }")
    for widget in (first, within, last):
        widget.styles.base.color = Color.parse("blue")
    refreshed: list[DOMNode] = []
    monkeypatch.setattr("d2ltui.tui.render.stylesheet._refresh", refreshed.extend)

    def nodes() -> Iterator[Widget]:
        yield first
        sheet.update_nodes([within])
        yield last

    sheet.update_nodes(nodes())
    assert refreshed == [within, first, last]


async def test_the_other_theme_is_parsed_little_by_little_before_anybody_asks_for_it(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ThemeStylesheet, "_of_themes", {})
    async with open_app(size=SIZE, store=False) as person:
        parts = 1
        while person.app.prepare_theme(0.0):
            parts += 1
        assert parts > 5
        dark = looks(person)
        monkeypatch.setattr(stylesheet, "parse", None)
        await person.press("ctrl+t")
        await at_rest(person)
        assert looks(person) != dark


class Marked(Pane):
    """A pane that changes more than its frame with the focus, and what it holds, too."""

    DEFAULT_CSS = "Marked:focus { background: red; }\nMarked:focus Widget { color: blue; text-style: italic; }"


async def test_what_a_pane_holds_may_look_otherwise_too(open_app: Opener) -> None:
    async with open_app(size=SIZE, store=False) as person:
        inside = Widget()
        pane = Marked("Marked", inside, id="marked", can_focus=True)
        await person.main.query_one("#inside").mount(pane)
        await person.until(lambda: pane.outer_size.area, "its place")
        assert isinstance(person.main, BatchedScreen)
        plain = inside.styles.color
        person.main.set_focus(pane)
        assert inside.styles.color.rgb == (0, 0, 255)
        assert inside.styles.text_style.italic
        assert pane._repaint_regions == {pane.outer_size.region}, "all of it"
        person.main.set_focus(None)
        assert inside.styles.color == plain
        assert not inside.styles.text_style.italic


async def test_a_focus_that_is_watched_waits_for_its_message(open_app: Opener) -> None:
    told: list[bool] = []

    class Watching(Widget, can_focus=True):
        def watch_has_focus(self, has_focus: bool) -> None:
            told.append(has_focus)
            super().watch_has_focus(has_focus)

    async with open_app(size=SIZE, store=False) as person:
        widget = Watching()
        await person.main.query_one("#inside").mount(widget)
        person.main.set_focus(widget)
        await person.until(lambda: told == [True], "the message")
        person.main.set_focus(None)
        await person.until(lambda: told == [True, False], "the message")
        assert focus.FocusStyles(person.app.stylesheet)._depends(person.main.query_one("#field-lr Input"))


async def test_where_textual_has_changed_it_styles_by_itself(open_app: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(internals, "_OF_NODES", ("no_longer_there",))
    async with open_app(size=SIZE, store=False) as person:
        assert type(person.app.stylesheet) is Stylesheet
        refreshed: list[bool] = []
        refresh = App.refresh_css

        def noted(self: App[None], animate: bool = True) -> None:
            refreshed.append(animate)
            refresh(self, animate)

        monkeypatch.setattr(App, "refresh_css", noted)
        await person.press("tab", "ctrl+t")
        assert "Loss" in person.text()
        assert refreshed, "as Textual does it"


class Bare(FrameApp, App[None]):
    """An application of nothing."""


@pytest.mark.parametrize("name", ["_refresh_truecolor_filter", "_filters"])
async def test_where_textual_has_changed_its_filters_are_its_own(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if name == "_filters":
        monkeypatch.setattr(internals, "_OF_FILTERED", ("no_longer_there",))
    else:
        monkeypatch.delattr(App, name)
    app = Bare()
    app._refresh_truecolor_filter(app.ansi_theme)
    assert app._truecolor == {}


async def test_what_textual_wants_to_know_of_what_is_taken_down_it_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else that may be one day."""
    told: list[dict[str, object]] = []
    monkeypatch.setattr(App, "_prune", lambda _, *nodes, **options: told.append(options))
    app, widget = Bare(), Widget()
    app._prune(widget, parent=widget, other=True)
    app._prune(widget, parent=app)
    assert told == [{"parent": widget, "other": True}, {}]

"""ASCII, no colour, and both themes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from person import ENDLESS, TABS, Opener, Person
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from d2ltui.lessons import LESSONS
from d2ltui.spec.text import spelled
from d2ltui.tui.render.locale import AsciiFilter, is_utf8, to_ascii
from d2ltui.tui.widgets.lines import LinesView


def leaving(person: Person) -> str:
    """The characters that leave for the terminal."""
    return "".join(strip.text for strip in person.app.screen._compositor.render_strips())


def stray(person: Person) -> set[str]:
    return {character for character in leaving(person) if not character.isascii()}


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20))
def test_to_ascii_keeps_the_width(text: str) -> None:
    translated = to_ascii(text)
    assert translated.isascii()
    assert cell_len(translated) == cell_len(text)


def test_the_filter_keeps_styles_and_control_sequences() -> None:
    segments = [Segment("a…│", None), Segment("é", None)]
    filtered = AsciiFilter().apply(segments, Color(0, 0, 0))
    assert [segment.text for segment in filtered] == ["a~|", "?"]


@pytest.mark.parametrize(
    ("environment", "utf8"),
    [
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, False),
        ({"LC_ALL": "", "LC_CTYPE": "de_DE.utf8"}, True),
        ({"LC_CTYPE": "POSIX", "LANG": "en_US.UTF-8"}, False),
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({}, False),
    ],
)
def test_the_locale_decides(environment: dict[str, str], utf8: bool) -> None:
    assert is_utf8(environment) == utf8


async def test_only_ascii_leaves_where_the_locale_is_not_utf8(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "epochs": 2, "batch_size": 256}, ascii=True) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        await person.until_drawn("loss")
        await person.until_drawn("accuracy")
        assert stray(person) == set()
        for key in ("?", "escape", "ctrl+s", "escape", "z", "l", "z", "tab"):
            await person.press(key)
            assert stray(person) == set(), key
        await person.focus("activation")
        await person.press("enter")
        assert stray(person) == set()
        assert "zero-centred" in leaving(person)
        await person.press("escape")
        await person.type("hidden", "é日")
        assert stray(person) == set()
        await person.pilot.resize_terminal(80, 24)
        await person.settle()
        for _ in TABS:
            await person.press("tab")
            assert stray(person) == set()
        person.app.notify("Δ — a note")
        await person.settle()
        assert stray(person) == set()


async def test_a_line_keeps_its_width_in_ascii(open_app: Opener) -> None:
    async with open_app(ascii=True) as person:
        await person.type("device", "日本")
        strips = person.app.screen._compositor.render_strips()
        assert {cell_len(strip.text) for strip in strips} == {120}


async def test_utf8_is_the_rule(open_app: Opener) -> None:
    async with open_app() as person:
        assert {"╭", "‹", "●"} <= stray(person)


async def test_no_colour(open_app: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_app() as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        await person.until_drawn("loss")
        for strip in person.app.screen._compositor.render_strips():
            for segment in strip:
                style = segment.style
                for colour in (style.color, style.bgcolor) if style is not None else ():
                    if colour is not None and colour.triplet is not None:
                        assert len(set(colour.triplet)) == 1, f"{colour} in {segment.text!r}"
        # What colour tells, characters tell too.
        shown = person.text()
        assert "✓ finished" in shown
        assert "●  Softmax" in shown.replace("● ", "●  ").replace("●   ", "●  ")
        assert "train" in shown
        assert "val" in shown


async def test_both_themes_show_the_same_characters_legibly(open_app: Opener) -> None:
    async with open_app(ENDLESS) as person:
        await person.press("s")
        await person.until_word("paused")
        await person.until_drawn("loss")
        await person.until_drawn("accuracy")
        await person.until(lambda: "no step yet" not in person.text(), "the first step")
        dark = person.text()
        await person.press("ctrl+t")
        assert not person.app.current_theme.dark
        pairs = zip(dark.split("\n"), person.text().split("\n"), strict=True)
        assert [before for before, after in pairs if before != after and "cpu" not in before] == []
        faint = []
        for strip in person.app.screen._compositor.render_strips():
            for segment in strip:
                style = segment.style
                if style is None or style.color is None or style.bgcolor is None or not segment.text.strip().isalnum():
                    continue
                front, back = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
                if abs(front.brightness - back.brightness) < 0.2:
                    faint.append(segment.text)
        assert faint == []


def test_formulas_are_spelled_in_ascii() -> None:
    assert spelled("L = ½(ŷ − y)²").replace("−", "-") == "L = 1/2(y^ - y)^2"
    for lesson in LESSONS.values():
        for text in (lesson.claim, lesson.formula, lesson.text):
            assert "?" not in to_ascii(spelled(text)).replace("?", "", text.count("?")), lesson.name


async def test_what_was_drawn_in_ascii_stays_good(open_app: Opener) -> None:
    async with open_app({}, ascii=True) as person:
        view = person.main.query(LinesView).first()
        crop = view.outer_size.region
        rows = view.render_lines(crop)
        assert rows
        assert all(before is after for before, after in zip(rows, view.render_lines(crop), strict=True))

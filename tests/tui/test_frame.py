"""The last frame and the next: what is sent makes the terminal show it, in few bytes, and steers nothing."""

from __future__ import annotations

import re
from random import Random

import pytest
from emulator import CONSOLE, Emulator, drawn_anew
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip

from d2ltui.tui.render.cells import SINGLE, in_single_cells, split_cells
from d2ltui.tui.render.frame import Drawn, TerminalFrame
from tests.selection import long_after

WIDTH, HEIGHT = 30, 4
SIZE = Size(WIDTH, HEIGHT)
COLOURS = (None, "default", "red", "bright_blue", "color(100)", "#102030", "#ffffff")
ONES = ("a", "b", "│", "█", "⣿", "ŷ", " ", " ", " ", "          ")
ODD = (*ONES, "漢", "字", "✔")  # no added accents: Textual itself cuts those off from what they belong to


def a_style(chance: Random) -> Style | None:
    """Mostly colours; at times attributes, a link, or what a click means."""
    if chance.random() < 0.2:
        return None
    attributes = {
        name: chance.choice((None, None, None, True, False))
        for name in ("bold", "dim", "italic", "underline", "strike", "reverse")
    }
    link = chance.choice((None, None, None, "https://d2l.ai"))
    meta = chance.choice((None, {"@click": "quit"}))
    return Style(color=chance.choice(COLOURS), bgcolor=chance.choice(COLOURS), link=link, meta=meta, **attributes)


def a_line(chance: Random) -> Strip:
    units = ODD if chance.random() < 0.2 else ONES
    segments = [
        Segment("".join(chance.choices(units, k=chance.randrange(8))), a_style(chance))
        for _ in range(chance.randrange(5))
    ]
    return Strip(segments).adjust_cell_length(WIDTH, a_style(chance))


def whole(frame: list[Strip]) -> list[Drawn]:
    return [Drawn(0, y, [strip]) for y, strip in enumerate(frame)]


@pytest.mark.parametrize("term", ["xterm-256color", "screen"])
@pytest.mark.parametrize("seed", long_after(5, range(25)))
def test_the_terminal_shows_each_frame(seed: int, term: str) -> None:
    chance = Random(seed)
    frame, emulator = TerminalFrame(term), Emulator(WIDTH, HEIGHT)
    shown = [a_line(chance) for _ in range(HEIGHT)]
    emulator.feed(frame.draw(CONSOLE, whole(shown), SIZE))
    assert emulator.looks() == drawn_anew(shown, WIDTH, HEIGHT)
    for _ in range(12):
        drawn = []
        for y in chance.sample(range(HEIGHT), chance.randint(1, HEIGHT)):
            x, end = (0, WIDTH) if chance.random() < 0.3 else sorted(chance.sample(range(WIDTH + 1), 2))
            part = a_line(chance).crop(x, end)
            drawn.append(Drawn(x, y, [part]))
            shown[y] = Strip.join([shown[y].crop(0, x), part, shown[y].crop(end, WIDTH)])
        if chance.random() < 0.3:
            emulator.feed(frame.draw(CONSOLE, whole(shown), SIZE))
        else:
            emulator.feed(frame.draw(CONSOLE, drawn))
        assert emulator.looks() == drawn_anew(shown, WIDTH, HEIGHT)
        assert frame.draw(CONSOLE, whole(shown), SIZE) == "", "what is shown is not sent again"


class Painter:
    """Who draws frames."""


@pytest.mark.parametrize("seed", long_after(3, range(25)))
def test_whoever_draws_again_finds_the_last_frame_as_it_was(seed: int) -> None:
    chance = Random(seed)
    frame, emulator = TerminalFrame("xterm"), Emulator(WIDTH, HEIGHT)
    shown: dict[Painter, list[Strip]] = {}
    painters = [Painter(), Painter(), Painter()]
    for _ in range(12):
        painter = chance.choice(painters)
        if known := painter in shown:
            assert frame.can_add(painter)
            drawn = [(y, a_line(chance)) for y in chance.sample(range(HEIGHT), chance.randint(0, 2))]
            for y, line in drawn:
                shown[painter][y] = line
            emulator.feed(frame.draw(CONSOLE, [Drawn(0, y, [line]) for y, line in drawn], painter=painter))
        else:
            assert not frame.can_add(painter)
            shown[painter] = [a_line(chance) for _ in range(HEIGHT)]
            emulator.feed(frame.draw(CONSOLE, whole(shown[painter]), SIZE, painter))
        assert frame.shows(painter)
        assert emulator.looks() == drawn_anew(shown[painter], WIDTH, HEIGHT), known
        assert frame.draw(CONSOLE, whole(shown[painter]), SIZE, painter) == "", "what is shown is not sent again"


def test_a_frame_of_another_size_or_of_a_lost_terminal_is_of_no_use() -> None:
    frame, one, other = TerminalFrame("xterm"), Painter(), Painter()
    full = whole([strip(("abc", ""))] * HEIGHT)
    frame.draw(CONSOLE, full, SIZE, one)
    frame.draw(CONSOLE, full, SIZE, other)
    assert frame.can_add(one)
    frame.forget()
    assert not frame.can_add(one)
    assert not frame.can_add(other)
    frame.draw(CONSOLE, full, SIZE, other)
    assert frame.can_add(other)
    assert not frame.can_add(one)
    frame.draw(CONSOLE, full, SIZE, one)
    frame.draw(CONSOLE, full, Size(WIDTH - 1, HEIGHT), other)
    assert not frame.can_add(one)


def strip(*parts: tuple[str, str]) -> Strip:
    return Strip([Segment(text, Style.parse(style)) for text, style in parts]).adjust_cell_length(WIDTH)


def sent(before: Strip, after: Strip, term: str = "xterm") -> str:
    """What is sent where the second line of the screen changes."""
    frame = TerminalFrame(term)
    frame.draw(CONSOLE, whole([before] * HEIGHT), SIZE)
    return frame.draw(CONSOLE, [Drawn(0, 1, [after])])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([("abc", "")], [("axc", "")], "\x1b[2;2Hx"),
        ([("abc", "red")], [("abc", "bold red")], "\x1b[1;31m\x1b[2Habc\x1b[m"),
        # Colours only where they change; a blank has none of its own.
        ([("abc", "")], [("x y", "red")], "\x1b[31m\x1b[2Hx y\x1b[m"),
        ([("abcd", "")], [("wx", "red on blue"), ("yz", "green on blue")], "\x1b[31;44m\x1b[2Hwx\x1b[32myz\x1b[m"),
        # One pen after the other.
        ([("abcd", "")], [("a", "red"), ("b", ""), ("c", "red"), ("d", "")], "\x1b[31m\x1b[2Ha\x1b[Cc\x1b[m"),
        # Short ways: over what lies between, or along the line.
        ([("abcdef", "")], [("xbcdey", "")], "\x1b[2Hxbcdey"),
        ([("abcdefghij", "")], [("xbcdefghiy", "")], "\x1b[2Hx\x1b[8Cy"),
        # Blanks are erased.
        ([("abcdefghi", "")], [("", "")], "\x1b[2H\x1b[9X"),
        ([("a" * WIDTH, "")], [("b", "")], "\x1b[2Hb\x1b[K"),
        ([("abcdefghijklmnopqr", "")], [("b" + 14 * " " + "cde", "")], "\x1b[2Hb\x1b[14X\x1b[14Ccde"),
        ([("a", "red"), (" b", "red")], [("a", "red"), (" b", "red")], ""),
        ([(9 * " ", "red")], [(9 * " ", "bold green")], ""),
    ],
)
def test_few_bytes(before: list, after: list, expected: str) -> None:
    assert sent(strip(*before), strip(*after)) == expected


def test_only_a_terminal_that_does_so_erases_to_a_background() -> None:
    before, after = strip(("a" * WIDTH, "")), strip((" " * WIDTH, "on blue"))
    assert sent(before, after, "tmux-256color") == "\x1b[44m\x1b[2H\x1b[K\x1b[m"
    assert sent(before, after, "screen-256color") == f"\x1b[44m\x1b[2H{' ' * WIDTH}\x1b[m"
    assert sent(before, strip((" " * WIDTH, "")), "screen-256color") == "\x1b[2H\x1b[K"


def test_behind_a_character_of_doubtful_width_the_column_is_told() -> None:
    """A terminal that takes it for narrower or for wider has the rest in its place all the same."""
    for doubtful in ("漢", "✔", "e\u0301", "❤\ufe0f", "👩\u200d💻"):
        text = sent(strip(("abc", "")), strip((f"a{doubtful}bc", "")))
        column = 2 + cell_len(doubtful)
        assert re.search(f"{doubtful}\x1b\\[{column}Gbc", text), (doubtful, text)
        assert f"\x1b[{column - 2}X{doubtful}" in text or "e" in doubtful


def test_nothing_that_is_drawn_steers_the_terminal() -> None:
    foreign = "a\x1b]52;c;eA==\x07b\x9b31mc\u202ed\x7fe\nf\u2028\u2066g\r\x00h\udc80i\x85"
    frame = TerminalFrame("xterm")
    text = frame.draw(CONSOLE, [Drawn(0, 0, [Strip([Segment(foreign)])])], Size(60, 1))
    ours = re.sub(r"\x1b\[[\d;]*[HGCKXm]", "", text)
    assert ours.isprintable(), repr(ours)
    link = Style(link="https://x\x1b\\\x1b]52;c;eA==\x07")
    text = TerminalFrame("xterm").draw(CONSOLE, [Drawn(0, 0, [Strip([Segment("a", link)])])], Size(60, 1))
    assert "52;c" not in text


def test_what_lies_outside_of_the_terminal_is_left_out() -> None:
    """A screen that another one covered has not heard yet that the terminal is smaller now."""
    frame = TerminalFrame("xterm")
    frame.draw(CONSOLE, whole([strip(("a" * WIDTH, ""))] * HEIGHT), SIZE)
    outside = [Drawn(WIDTH + 2, 1, [Strip([Segment("漢cdef")])]), Drawn(0, HEIGHT, [strip(("b", ""))])]
    assert frame.draw(CONSOLE, outside) == ""


def test_forgotten_while_it_draws_a_whole_frame_is_sent_once_more() -> None:
    frame = TerminalFrame("xterm")
    full = whole([strip(("abc", ""))] * HEIGHT)

    def interrupted() -> list[Drawn]:
        yield from full[:2]
        frame.forget()
        yield from full[2:]

    assert frame.draw(CONSOLE, interrupted(), SIZE)
    assert not frame.known
    assert frame.draw(CONSOLE, full, SIZE)
    assert frame.known
    assert not frame.draw(CONSOLE, full, SIZE)
    assert frame.draw(CONSOLE, full, Size(WIDTH - 1, HEIGHT)), "another size"


def test_very_many_colours_are_not_kept_for_ever() -> None:
    frame = TerminalFrame("xterm")
    for number in range(40):
        row = [Segment("x", Style(color=f"#{number:02x}{x:02x}{y:02x}")) for y in range(16) for x in range(16)]
        frame.draw(CONSOLE, [Drawn(0, 0, [Strip(row)])], Size(256, 1))
    assert len(frame._pens) < 5000
    assert len(frame._by_style) < 5000


def test_what_surely_takes_one_cell_does() -> None:
    assert all(cell_len(chr(code)) == 1 for code in range(0x10000) if SINGLE.fullmatch(chr(code)))
    assert in_single_cells("│ −3.4 ⣿⡇ ▁▂▃ ● ŷ")
    assert not in_single_cells("漢")
    assert not in_single_cells("漢e\u0301")  # on the average, one each


@given(st.text(max_size=8) | st.text("a漢e\u0301\ufe0f\u200d❤👩💻✓\x1b", max_size=8))
def test_a_text_has_as_many_cells_as_textual_counts(text: str) -> None:
    assert len(split_cells(text)) == cell_len(text)

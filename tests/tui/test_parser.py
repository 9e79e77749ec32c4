"""What a terminal may send that no terminal should."""

from __future__ import annotations

import pytest
from textual import events

from d2ltui.tui.parser import InputParser


def keys_after(data: str) -> list[str]:
    """What the letters `ok` and a click are read as, after `data`."""
    parser = InputParser()
    read = [*parser.feed(data), *parser.feed("ok"), *parser.feed("\x1b[<0;3;4M")]
    return [
        message.key if isinstance(message, events.Key) else f"{message.x:g},{message.y:g}"
        for message in read[-3:]
        if isinstance(message, (events.Key, events.MouseDown))
    ]


@pytest.mark.parametrize(
    "data",
    [
        "",
        "\x1b[48;0;0;0;0t\x1b[<0;1;1M",  # a window of nothing, and a click into it
        "\x1b[48;30;0;0;0t\x1b[<0;1;1M",
        "\x1b[48;24;80;0;0t\x1b[<0;1;1M",  # no pixels
        "\x1b[1114112;5u",  # no character has this number
        "\x1b[99999999999999999999;5u",
        "\x1b[97;1;4294967296u",
    ],
)
def test_keys_and_clicks_are_read_after_whatever_came(data: str) -> None:
    if not data:
        data = "x"
    assert keys_after(data) == ["o", "k", "2,3"]


def test_a_window_of_nothing_is_not_told_of() -> None:
    parser = InputParser()
    told = [
        message.size
        for message in parser.feed("\x1b[48;0;0;0;0t\x1b[48;30;100;0;0t")
        if isinstance(message, events.Resize)
    ]
    assert told == [(100, 30)]


def test_what_begins_before_a_defect_of_the_terminal_is_read_in_the_right_cells_afterwards() -> None:
    parser = InputParser()
    list(parser.feed("\x1b[48;10;20;100;200t\x1b[1114112;5u"))
    (click,) = parser.feed("\x1b[<0;101;51M")
    assert isinstance(click, events.MouseDown)
    assert (click.x, click.y) == (10, 5)


def test_a_size_that_nobody_has_asked_for_is_none() -> None:
    asked = False
    parser = InputParser(expects_sizes=lambda: asked)
    unasked = [*parser.feed("\x1b[48;1;1;10;20t"), *parser.feed("\x1b[<0;101;51M")]
    assert [type(message) for message in unasked] == [events.MouseDown]
    assert (unasked[0].x, unasked[0].y) == (100, 50)  # type: ignore[attr-defined]  # in cells, as before
    asked = True
    (told,) = parser.feed("\x1b[48;10;20;100;200t")
    assert isinstance(told, events.Resize)
    assert told.size == (20, 10)

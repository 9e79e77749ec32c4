"""What a terminal may send that no terminal should."""

from __future__ import annotations

import pytest
from textual import events

from d2ltui.tui.parser import PASTE_PATIENCE, InputParser


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


@pytest.mark.parametrize(
    ("pasted", "text"),
    [
        ("0.1", "0.1"),
        ("", None),
        ("a\x1b[Ab\x1bc", "a[Abc"),  # no arrow, no escape key
        ("]]\x1b\x07\x00", "]]\x07"),
        ("]\x07\x00\x1b\x1b\x1b", "]\x07"),
        ("\x1b[200~x", "[200~x"),
        ("\x1b[201", "[201"),
        ("qxs~", "qxs~"),
    ],
)
@pytest.mark.parametrize("before", ["", "\x1b", "\x1b[", "\x1b[1;2", "\x1b]11;"])
@pytest.mark.parametrize("late", [False, True])
def test_what_is_pasted_is_text_to_its_end(
    pasted: str, text: str | None, before: str, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = InputParser()
    monkeypatch.setattr("textual.constants.ESCAPE_DELAY", 0.0)  # each piece comes long after the one before it
    sent = f"{before}\x1b[200~{pasted}\x1b[201~"
    if late:
        read = [message for character in sent for message in (*parser.feed(character), *parser.tick())]
    else:
        read = [*parser.feed(sent), *parser.tick()]
    assert [message.text for message in read if isinstance(message, events.Paste)] == ([] if text is None else [text])
    keys = [message.key for message in read if isinstance(message, events.Key)]
    assert not {"q", "x", "s", "tilde", "up", "ctrl+g"} & set(keys), keys
    after = [message.key for message in parser.feed("o") if isinstance(message, events.Key)]
    assert after == ["o"]


def test_a_paste_whose_end_is_lost_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("d2ltui.tui.parser.time.monotonic", lambda: now)
    parser = InputParser()
    assert [*parser.feed("\x1b[200~0.5\x1b[20")] == []
    now += PASTE_PATIENCE - 0.1
    assert [*parser.tick()] == []
    assert [*parser.feed("x")] == []
    now += PASTE_PATIENCE + 0.1
    (paste,) = parser.tick()
    assert isinstance(paste, events.Paste)
    assert paste.text == "0.5[20x"
    (key,) = parser.feed("o")
    assert isinstance(key, events.Key)

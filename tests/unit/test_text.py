"""One is one, and others are many; and nothing from elsewhere is more than text."""

from __future__ import annotations

import io
import json
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2ltui.spec.text import (
    MAX_TEXT,
    counted,
    ended,
    json_line,
    pace,
    printable,
    printable_values,
    sections,
    written_to,
)

HOSTILE = [
    "\x1b]52;c;aGVsbG8=\x07",
    "\x1b]0;title\x1b\\",
    "\x1b[2J",
    "\x9b2J",
    b"\xc2\x9b2J".decode(),
    "\x90q\x9c",
    "a\u202eb\u2066c",
    "zero\u200bwidth\ufeff",
    "soft\u00adhyphen",
    "\udc9b2J",
    "\ud800",
    "back\x08\x7f",
    "return\rover",
    "filler\u3164\u115f",
    "tag\U000e0041",
    "private\ue000",
    "e" + "\u0301" * 100,
]


@pytest.mark.parametrize(("number", "told"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps"), (1024, "1024 steps")])
def test_numbers(number: int, told: str) -> None:
    assert counted(number, "step") == told
    assert counted(1024, "step", ",") == "1,024 steps"


def test_a_sentence_ends_with_one_stop() -> None:
    assert [ended("It fell"), ended("It fell."), ended("降了。")] == ["It fell.", "It fell.", "降了。"]


def harmless(text: str) -> bool:
    """Whether a terminal shows every character of it, and nothing else."""
    return all(unicodedata.category(c)[0] in "LMNPS" or c == " " for c in text.replace("\ufffd", "?"))


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = printable(text)
    assert harmless(shown)
    assert len(shown) <= len(text)
    assert shown != text
    shown.encode()


@given(st.text())
def test_any_text_is_harmless(text: str) -> None:
    shown = printable(text)
    assert harmless(shown)
    assert printable(shown) == shown
    assert harmless(printable(text, lines=True).replace("\n", ""))


@pytest.mark.parametrize("text", ["", "plain", "Größe 3×4 → ½", "日本語", "é", "e\u0301", "naïve – “so”…", "🙂", "✓▲"])
def test_what_people_write_stays(text: str) -> None:
    assert printable(text) == text


def test_white_space_is_a_space_and_lines_stay_where_they_may() -> None:
    assert printable("a\tb\nc\r\nd\u00a0e\u2028f") == "a b c  d e f"
    assert printable("a\nb\tc", lines=True) == "a\nb c"


def test_a_long_text_is_cut() -> None:
    assert printable("x" * MAX_TEXT) == "x" * MAX_TEXT
    assert printable("x" * 20_000, 80) == "x" * 79 + "…"
    assert len(printable("\x1b" * 10**6)) == MAX_TEXT


def test_values_keep_their_shape() -> None:
    hostile = {"a\x1b": ["\x9b", 1, {"b": None, "c": 0.5}], "why": "1\n2", "more": [("\n", True)]}
    assert printable_values(hostile, lines={"why": 100}) == {
        "a\ufffd": ["\ufffd", 1, {"b": None, "c": 0.5}],
        "why": "1\n2",
        "more": [[" ", True]],
    }


def test_json_says_everything_and_shows_nothing_else() -> None:
    value = {"path": "a\x9b2J\u202e\udc9bü\x1b", "n": 1.5}
    line = json_line(value)
    assert harmless(line)
    assert "ü" in line
    assert json.loads(line) == value


@pytest.mark.parametrize(
    ("text", "ascii"),
    [
        ("R² 0.9931", "R^2 0.9931"),
        ("Linear 2→1 · ReLU", "Linear 2->1 . ReLU"),
        ("½(ŷ − y)² ≤ 3", "1/2(y^ - y)^2 <= 3"),
        ("▲ alarm, △ warning, ✓ well…", "! alarm, ^ warning, + well..."),
        ("猫 0.1 – 0.2", "? 0.1 - 0.2"),
    ],
)
def test_what_a_stream_does_not_take_is_spelled(text: str, ascii: str) -> None:
    for encoding, expected in (("ascii", ascii), ("iso-8859-1", ascii), ("utf-8", text)):
        stream = io.TextIOWrapper(io.BytesIO(), encoding)
        assert written_to(stream, text) == expected


def test_one_section_and_several() -> None:
    assert sections("5.1.2.2") == "section 5.1.2.2"
    assert sections("4.4, 4.5") == "sections 4.4, 4.5"
    assert sections("3.1 to 3.5") == "sections 3.1 to 3.5"


@pytest.mark.parametrize(
    ("speed", "said"),
    [(0.5, "0.5 steps/s"), (0.9996, "1 step/s"), (1.0, "1 step/s"), (1.02, "1.02 steps/s"), (1234.5, "1,230 steps/s")],
)
def test_one_step_a_second_is_one(speed: float, said: str) -> None:
    assert pace(speed) == said


def test_a_number_that_is_none_is_null_in_json() -> None:
    value = {"loss": math.nan, "rates": [1.5, math.inf, (-math.inf,)], "name": "nan", "steps": 3}
    assert json.loads(json_line(value)) == {"loss": None, "rates": [1.5, None, [None]], "name": "nan", "steps": 3}

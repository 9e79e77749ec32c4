"""Text in cells of a terminal: Chinese, Japanese and Korean characters take two, marks on other characters none."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from functools import cache

_WIDE = (
    "\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6"
    "\U00020000-\U0003fffd"
)
_OPENING, _CLOSING = "（《「『【“‘", "，。、；：！？）》」』】”’…"


@cache
def _maybe_wide() -> re.Pattern[str]:
    """What may be wide: most text is found not to be without a look at each of its characters.

    Compiling these takes 5 ms each, which the first paint has no use for.
    """
    return re.compile("[\u1100-\u1fff\u231a\u231b\u23e9-\u23f3\u25fd\u25fe\u2614-\u27bf\u2b1b-\u2b55\u2e80-\U0010ffff]")


@cache
def _piece() -> re.Pattern[str]:
    """What is never broken in the middle: a word, or a single wide character, with what opens and closes around it."""
    return re.compile(rf"[{_OPENING}]*(?:[^\s{_WIDE}{_OPENING}{_CLOSING}]+(?: %)?|[{_WIDE}]?)[{_CLOSING},.;:!?)%]*")


def has_wide(text: str) -> bool:
    """Whether a character of `text` takes two cells."""
    return not text.isascii() and any(_is_wide(found[0]) for found in _maybe_wide().finditer(text))


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def cells(text: str) -> int:
    """How many cells `text`, one line, takes."""
    if text.isascii():
        return len(text)
    return sum(2 if _is_wide(c) else 0 if unicodedata.combining(c) else 1 for c in text)


def cut(text: str, width: int) -> str:
    """As much of `text` as fits into `width` cells."""
    if not has_wide(text):
        return text[: max(0, width)]
    taken = 0
    for index, character in enumerate(text):
        taken += cells(character)
        if taken > width:
            return text[:index]
    return text


def padded(text: str, width: int) -> str:
    """`text` with blanks behind it, as wide as `width` cells."""
    return text + " " * (width - cells(text))


def right(text: str, width: int) -> str:
    """`text` with blanks before it, as wide as `width` cells."""
    return " " * (width - cells(text)) + text


def centred(text: str, width: int) -> str:
    """`text` in the middle of `width` cells."""
    return text.center(width - cells(text) + len(text))


def spans(text: str, width: int) -> list[tuple[int, int]]:
    """Where each line of `text` begins and ends, broken to `width` cells: between words and between wide characters.

    No line begins with what closes, such as a full stop, nor ends with what opens. The first one keeps its indentation.
    """
    lines: list[tuple[int, int]] = []
    begin = end = taken = 0
    for piece in _piece().finditer(text):
        if not piece[0]:
            continue
        gap = cells(text[end : piece.start()]) if taken or not lines else 0
        wide = cells(piece[0])
        if taken and taken + gap + wide > width:
            lines.append((begin, end))
            taken = gap = 0
        if not taken:
            begin = piece.start() if lines else 0
            while gap + wide > width > 0:  # a word that has no line to itself
                part = cut(text[begin : piece.end()], width) or text[begin]
                lines.append((begin, begin + len(part)))
                begin += len(part)
                gap, wide = 0, cells(text[begin : piece.end()])
        taken += gap + wide
        end = piece.end()
    return [*lines, (begin, end)] if end > begin else lines


def wrapped(text: str, width: int) -> list[str]:
    """The lines of `text`, one paragraph, in `width` cells; none of a blank one."""
    if not has_wide(text):
        return textwrap.wrap(text, max(1, width))
    return [text[begin:end] for begin, end in spans(text, max(1, width))]


def filled(text: str, width: int, indent: str = "") -> str:
    """The same as one text, each line after `indent`."""
    return "\n".join(f"{indent}{line}" for line in wrapped(text, width - len(indent)))


def joined(lines: list[str]) -> str:
    """Lines as one: with a blank between two words, and none beside a wide character."""
    text = ""
    for line in lines:
        close = not text or not line or _is_wide(text[-1]) or _is_wide(line[0]) or text[-1] in "“‘" or line[0] in "”’"
        text += line if close else f" {line}"
    return text

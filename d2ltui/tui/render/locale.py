"""Whether the terminal may be sent more than ASCII."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter


def _environment_at_start() -> dict[str, str]:
    """The environment that the process was started with.

    Python sets LC_CTYPE itself where the locale is C (PEP 538), which says nothing of the terminal; Linux remembers
    what was there before.
    """
    try:
        raw = Path("/proc/self/environ").read_bytes()
    except OSError:
        return dict(os.environ)
    pairs = (entry.split(b"=", 1) for entry in raw.split(b"\0") if b"=" in entry)
    return {os.fsdecode(key): os.fsdecode(value) for key, value in pairs}


def is_utf8(environment: dict[str, str] | None = None) -> bool:
    """Whether the locale's encoding is UTF-8, by the variables that decide it, in POSIX's order."""
    values = _environment_at_start() if environment is None else environment
    locale = values.get("LC_ALL") or values.get("LC_CTYPE") or values.get("LANG") or "C"
    return bool(re.search(r"utf-?8", locale, re.IGNORECASE))


# What Textual's widgets and ours draw, and what stands for it. Anything else becomes a question mark.
_TABLE = {
    "─╌┄⎯╴╶╸╺▁▔▂": "-",
    "━═": "=",
    "│┃║▏▎▍▌▐▕┆╎": "|",
    "┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝": "+",
    "█▇▆▉▊▋": "#",
    "▅▄▃": "=",
    "▀▖▗▘▙▚▛▜▝▞▟": "#",
    "•●⏺": "*",
    "○◦": "o",
    "▲": "!",
    "△": "^",
    "▼▽▾": "v",
    "▶►▸›→": ">",
    "◀◄◂‹←": "<",
    "↑": "^",
    "↓": "v",
    "·": ".",
    "–—−": "-",
    "×": "x",
    "…": "~",
    "’‘": "'",
    "“”«»": '"',
    "²": "2",
    "³": "3",
    "≤": "<",
    "≥": ">",
    "⁻": "-",
    "ŷ": "y",
    "λ": "l",
    "‖": "|",
    "∞": "8",
    "½": "#",
    "✓": "v",
    "✗": "x",
    "ˣ": "x",
}
_TRANSLATION = {ord(character): ascii_ for group, ascii_ in _TABLE.items() for character in group}


def to_ascii(text: str) -> str:
    """`text` in ASCII, as many cells wide."""
    if text.isascii():
        return text
    width = cell_len(text)
    marks = (c if c.isascii() else "?" * cell_len(c) for c in text.translate(_TRANSLATION))
    return "".join(marks).ljust(width)[:width]  # joined characters (emoji) are not as wide as their parts


class AsciiFilter(LineFilter):
    """The last thing before the terminal: whatever a widget draws, only ASCII leaves."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Translate every segment's text; widths stay."""
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]


# What the fonts of Linux's own console have beside ASCII, both the kernel's (code page 437) and those of console-setup:
# straight lines, halves and whole blocks, shades, and a few signs.
_ON_CONSOLE = frozenset("─│┌┐└┘├┤┬┴┼█▄▀░▒▓·±²½«»°µ")
_CONSOLE_TABLE = {
    "╌┄⎯╴╶╸╺▔━═": "─",
    "┃║┆╎▏▕": "│",
    "╭╔": "┌",
    "╮╗": "┐",
    "╰╚": "└",
    "╯╝": "┘",
    "▁▂": "_",
    "▃▅": "▄",
    "▆▇▉▊▋▌▐": "█",
}
_ON_CONSOLE_TRANSLATION = {ord(character): there for group, there in _CONSOLE_TABLE.items() for character in group}


def to_console(text: str) -> str:
    """`text` in characters that Linux's own console can show, as many cells wide."""
    if text.isascii():
        return text
    translated = text.translate(_ON_CONSOLE_TRANSLATION)
    return "".join(c if c.isascii() or c in _ON_CONSOLE else to_ascii(c) for c in translated)


class ConsoleFilter(LineFilter):
    """The same for Linux's own console, which takes UTF-8 and has a font of 256 characters."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Translate every segment's text; widths stay."""
        return [Segment(to_console(text), style, control) for text, style, control in segments]

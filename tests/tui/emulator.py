"""A terminal emulator, and what can be seen of its cells."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import pyte
from rich.console import Console
from textual.strip import Strip

CONSOLE = Console(color_system="truecolor", force_terminal=True)

Look = tuple[str, str, str, bool, bool, bool, bool, bool]


class Emulator:
    """A terminal of some size, where lines are not wrapped: Textual switches that off."""

    def __init__(self, width: int, height: int) -> None:
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.Stream(self.screen)
        self.stream.feed("\x1b[?7l")

    def feed(self, sent: str) -> None:
        self.stream.feed(sent)

    def looks(self) -> list[list[Look]]:
        """Each cell's character, colours and attributes: of a blank, only what is seen of it."""
        screen = self.screen
        return [[look(screen.buffer[y][x]) for x in range(screen.columns)] for y in range(screen.lines)]


def look(cell: pyte.screens.Char) -> Look:
    foreground, bold, italics = cell.fg, cell.bold, cell.italics
    if cell.data == " " and not (cell.reverse or cell.underscore or cell.strikethrough):
        foreground, bold, italics = "", False, False
    return (cell.data, foreground, cell.bg, bold, italics, cell.underscore, cell.strikethrough, cell.reverse)


def drawn_anew(strips: Iterable[Strip], width: int, height: int) -> list[list[Look]]:
    """What a terminal shows that gets whole lines, as Textual renders them."""
    lines = [list(_line(strip.render(CONSOLE), width)) for strip in strips]
    return lines + [list(_line("", width)) for _ in range(height - len(lines))]


@lru_cache(10_000)
def _line(rendered: str, width: int) -> tuple[Look, ...]:
    emulator = Emulator(width, 1)
    emulator.feed(rendered)
    return tuple(emulator.looks()[0])

"""Text in languages that put no blanks between words: Textual would break lines at blanks alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text
from textual.content import Content
from textual.visual import RenderOptions, Visual

from d2ltui.spec.width import has_wide, spans

if TYPE_CHECKING:
    from textual.css.styles import RulesMap
    from textual.strip import Strip
    from textual.style import Style


def prose(text: Text | str) -> Text | str | Prose:
    """`text` as a Static shows it: as it is, or, where it has wide characters, broken between those, too."""
    return Prose(text) if has_wide(str(text)) else text


def broken(text: Text, width: int) -> Text:
    """`text` with its lines broken to `width` cells."""
    lines = []
    for line in text.split("\n", allow_blank=True):
        found = spans(line.plain, max(1, width))
        lines += [line[begin:end] for begin, end in found] or [Text()]
    return Text("\n").join(lines)


class Prose(Visual):
    """Text with wide characters."""

    def __init__(self, text: Text | str) -> None:
        self.text = text if isinstance(text, Text) else Text(text)
        self._made: tuple[int, Content] | None = None

    def __str__(self) -> str:
        return self.text.plain

    def _at(self, width: int) -> Content:
        if self._made is None or self._made[0] != width:
            self._made = width, Content.from_rich_text(broken(self.text, width))
        return self._made[1]

    def render_strips(self, width: int, height: int | None, style: Style, options: RenderOptions) -> list[Strip]:
        """The lines, as Textual draws them."""
        return self._at(width).render_strips(width, height, style, options)

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        """The longest line's width in cells."""
        return max(map(cell_len, self.text.plain.split("\n")))

    def get_height(self, rules: RulesMap, width: int) -> int:
        """How many lines it takes in `width` cells."""
        return self._at(width).get_height(rules, width)

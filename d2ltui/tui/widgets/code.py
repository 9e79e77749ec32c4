"""CodeView: lines of Python in Textual's own colours, never wrapped, with a mark at the line that runs now.

A line that goes on beyond the right edge ends with a sign.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from rich.style import Style as RichStyle
from textual.content import Content
from textual.highlight import HighlightTheme, highlight
from textual.style import Style as TextualStyle

from d2ltui.charts.spec import Style
from d2ltui.code.lines import Line, text_of
from d2ltui.tui.widgets.lines import LinesView

# Textual's styles of code, as numbers beside those of charts.
_FIRST = 100
_STYLES = sorted(set(HighlightTheme.STYLES.values()) - {""})
_NUMBERS = {text: _FIRST + number for number, text in enumerate(_STYLES)}
_MORE = "…"
GUTTER = 2  # columns before the code, for the mark

Runs = list[tuple[int, str]]


def highlighted(lines: Sequence[Line]) -> list[Runs]:
    """Runs of (style number, text) for each line."""
    content = highlight(text_of(lines), language="python")
    return [list(_runs(line)) for line in content.split("\n")][: len(lines)]


def _runs(line: Content) -> Iterator[tuple[int, str]]:
    """The runs of one line: of spans that lie upon one another, the last one counts."""
    styles = [int(Style.TEXT)] * len(line.plain)
    for start, end, style in line.spans:
        if number := _NUMBERS.get(str(style)):
            styles[start:end] = [number] * (min(end, len(styles)) - start)
    begin = 0
    for at in range(1, len(styles) + 1):
        if at == len(styles) or styles[at] != styles[begin]:
            yield styles[begin], line.plain[begin:at]
            begin = at


def sideways(runs: Runs, by: int) -> Runs:
    """The runs without their first `by` characters."""
    kept: Runs = []
    for style, text in runs:
        if by < len(text):
            kept.append((style, text[by:]))
        by = max(0, by - len(text))
    return kept


def cut_at(runs: Runs, room: int) -> Runs:
    """The runs as far as they fit into `room` columns, with a sign where there is more of them to the right."""
    if sum(cell_len(text) for _, text in runs) <= room:
        return runs
    kept: Runs = []
    left = max(0, room - len(_MORE))
    for style, text in runs:
        width = cell_len(text)
        kept.append((style, text if width <= left else set_cell_size(text, left)))
        left = max(0, left - width)
    kept = [(style, text) for style, text in kept if text]
    return [*kept, (int(Style.WARNING), _MORE)]


def _whole_words(text: str, room: int) -> str:
    """As many words of `text` as fit into `room` columns: half a number would be another one."""
    if len(text) <= room:
        return text
    return text[: max(0, room) + 1].rpartition(" ")[0]


class CodeView(LinesView):
    """Shows code. `note`s stand beside lines, by number; they are told as values, not as code."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._code: Sequence[Line] = ()
        self._coloured: list[Runs] = []
        self._shift = 0

    @property
    def widest(self) -> int:
        """Columns of the longest line."""
        return max((cell_len(line.text) for line in self._code), default=0)

    def show_code(
        self, code: Sequence[Line], mark: int | None = None, notes: Mapping[int, str] | None = None, sign: str = "▶"
    ) -> None:
        """Show `code`, with `sign` before line `mark`, which is brought into view, and notes behind lines."""
        if code != self._code:
            self._code, self._coloured = code, highlighted(code)
        lines: list[Runs] = []
        for number, runs in enumerate(self._coloured):
            marked = number == mark
            line = [(int(Style.WARNING), f"{sign} " if marked else "  "), *sideways(runs, self._shift)]
            if notes and number in notes:
                room = self.size.width - 3 - sum(len(text) for _, text in line)
                line.append((int(Style.AXIS), f"  {_whole_words(notes[number], room)}"))
            lines.append(cut_at(line, self.scrollable_content_region.width) if self.size else line)
        self.show(lines)
        if mark is not None and self.size.height and not self._sees(mark):
            self.scroll_to(y=max(0, mark - self.size.height // 2), animate=False)

    def _sees(self, number: int) -> bool:
        return self.scroll_offset.y <= number < self.scroll_offset.y + self.size.height

    def shift(self, by: int) -> None:
        """Move `by` columns sideways, as far as there is something to see."""
        room = max(0, self.widest + GUTTER + 1 - self.size.width)
        self._shift = min(room, max(0, self._shift + by))

    def _style(self, style: int | None) -> RichStyle:
        if style is not None and _FIRST <= style < _FIRST + len(_STYLES):
            if style not in self._styles:
                text = _STYLES[style - _FIRST]
                if text.startswith("$text "):  # whatever stands out on the background, paler
                    self._styles[style] = super()._style(Style.AXIS)
                else:
                    parsed = TextualStyle.parse(text, self.app.theme_variables)
                    self._styles[style] = self.rich_style + parsed.rich_style
            return self._styles[style]
        return super()._style(style)

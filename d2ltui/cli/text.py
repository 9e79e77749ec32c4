"""Tables and charts as text on standard output: colours on a terminal, plain elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from d2ltui.charts.heatmap import FIRST_LEVEL, LEVELS
from d2ltui.charts.spec import COLOURED, ChartSpec, Drawing, Style, colours_of
from d2ltui.spec import terminal
from d2ltui.spec.text import takes_only_ascii, written_to
from d2ltui.spec.width import cells, padded, right

WIDTH, HEIGHT = 100, 16
_COLOURS = {
    Style.TRAIN: "cyan",
    Style.VALIDATION: "yellow",
    Style.RAW: "bright_black",
    Style.WARNING: "red",
    Style.FIT: "magenta",
}
# From dark blue over green to yellow, of the 256 colours that terminals have.
_LEVEL_COLOURS = (54, 55, 61, 62, 31, 30, 36, 35, 77, 113, 149, 220)


def width() -> int:
    """Columns for charts: the terminal's, within reason."""
    return max(40, min(WIDTH, terminal.size(sys.stdout, sys.stderr)[0]))


def is_ascii() -> bool:
    """Whether charts are drawn in ASCII: standard output takes nothing else, or is a terminal without braille."""
    return takes_only_ascii(sys.stdout) or (terminal.is_kernel_console() and sys.stdout.isatty())


def say(text: str = "") -> None:
    """A line; a character that standard output does not take becomes one that it does, or a question mark."""
    click.echo(written_to(sys.stdout, text), color=False if os.environ.get("NO_COLOR") else None)


def chart(spec: ChartSpec) -> None:
    """Draw a chart."""
    from d2ltui.charts.draw import draw

    lines(draw(spec))


def lines(drawing: Drawing) -> None:
    """Print lines of runs."""
    for line in drawing:
        say("".join(_coloured(text, style) for style, text in line).rstrip())


def as_text(drawing: Drawing) -> list[str]:
    """Lines of runs as they are printed on a terminal, without colours where none are wanted."""
    found = [
        written_to(sys.stdout, "".join(_coloured(text, style) for style, text in line).rstrip()) for line in drawing
    ]
    return [click.unstyle(line) for line in found] if os.environ.get("NO_COLOR") else found


def has_colours() -> bool:
    """Whether standard output is a terminal with 256 colours or more, and colours are wanted."""
    many = "256" in os.environ.get("TERM", "") or os.environ.get("COLORTERM", "") in ("truecolor", "24bit")
    return sys.stdout.isatty() and many and not os.environ.get("NO_COLOR")


def _coloured(text: str, style: int) -> str:
    if style >= COLOURED:
        front, back = colours_of(style)
        return click.style(text, fg=front, bg=back)
    if FIRST_LEVEL <= style < FIRST_LEVEL + LEVELS:
        return click.style(text, fg=_LEVEL_COLOURS[(style - FIRST_LEVEL) * len(_LEVEL_COLOURS) // LEVELS])
    colour = _COLOURS.get(Style(style)) if style in list(Style) else None
    return click.style(text, fg=colour) if colour else text


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """Columns as wide as they need; the first `left` ones to the left, the others to the right."""
    widths = [max(cells(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        line = [
            padded(cell, size) if i < left else right(cell, size)
            for i, (cell, size) in enumerate(zip(row, widths, strict=True))
        ]
        say("  ".join(line).rstrip())

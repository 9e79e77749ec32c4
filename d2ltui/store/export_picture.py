"""A picture of characters and colours as SVG: a rectangle for each pixel that differs from its neighbour, and text."""

from __future__ import annotations

from html import escape

from d2ltui.charts.spec import COLOURED, RGB, Drawing, Style, colours_of
from d2ltui.spec.width import cells

CELL, LINE = 8, 16  # pixels of a cell
_COLOURS = {
    Style.TRAIN: "#4ea1ff",
    Style.VALIDATION: "#ffb454",
    Style.RAW: "#31506f",
    Style.WARNING: "#ff7a8a",
    Style.FIT: "#8ad4a1",
    Style.DATA: "#ffcf8f",
    Style.AXIS: "#9a9a9a",
}


def svg(title: str, drawing: Drawing, width: int, background: RGB, foreground: RGB) -> str:
    """`drawing` of `width` columns as one SVG document."""
    high, wide = (len(drawing) + 2) * LINE, (width + 2) * CELL
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="100%" height="100%" fill="{_hex(background)}"/>',
        f'<g font-family="monospace" font-size="13" fill="{_hex(foreground)}">',
        f'<text x="{CELL}" y="{LINE}">{escape(title)}</text>',
        '<g shape-rendering="crispEdges">',
    ]
    texts = []
    for row, line in enumerate(drawing):
        column = 0
        y = (row + 1) * LINE + LINE // 4
        for style, text in line:
            front, back = colours_of(style) if style >= COLOURED else (None, None)
            x, across = (column + 1) * CELL, cells(text) * CELL
            column += cells(text)
            if back is not None:
                parts.append(_rectangle(x, y, across, LINE, back))
            if text.strip("▀") == "" and front is not None:
                parts.append(_rectangle(x, y, across, LINE // 2, front))
            elif text.strip():
                colour = _hex(front) if front is not None else _COLOURS.get(Style(style)) if style < COLOURED else None
                fill = f' fill="{colour}"' if colour else ""
                texts.append(
                    f'<text x="{x}" y="{y + 13}" textLength="{across}" xml:space="preserve"{fill}>{escape(text)}</text>'
                )
    return "".join((*parts, "</g>", *texts, "</g></svg>\n"))


def _rectangle(x: int, y: int, width: int, height: int, colour: RGB) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{_hex(colour)}"/>'


def _hex(colour: RGB) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)

"""What a frame sends down the line: the cells that have changed, not what stands before them in the same widget."""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.control import Control
from textual._compositor import ChopsUpdate
from textual.app import App
from textual.screen import Screen


class CellsUpdate(ChopsUpdate):
    """Textual's update of parts of lines, cropped at both ends.

    Textual crops a line at the end of what has changed, and begins at the widget's first column: of a chart that grows
    at its right end it sends whole lines.
    """

    def render_segments(self, console: Console) -> str:
        """The characters and control sequences for the terminal."""
        parts: list[str] = []
        for y, first, end in self.spans:
            for strip_end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=True):
                low, high = max(x, first), min(strip_end, end)
                if strip is not None and low < high:
                    if strip.cell_length != len(strip.text):
                        low = x  # a character of two cells must not be halved: its other half would go, too
                    parts.append(Control.move_to(low, y).segment.text)
                    parts.append(strip.crop(low - x, high - x).render(console))
        return "".join(parts)


class SparingApp(App[None]):
    """An application whose frames go down a slow line."""

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(renderable, ChopsUpdate):
            renderable = CellsUpdate(renderable.chops, renderable.spans, renderable.chop_ends)
        super()._display(screen, renderable)

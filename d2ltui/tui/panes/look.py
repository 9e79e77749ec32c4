"""How a view's terminal shows colours: what pictures and heatmaps are drawn for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.widget import Widget

    from d2ltui.charts.canvas import Look


def look_of(widget: Widget, ascii: bool) -> Look:
    """The background behind `widget`, and whether the terminal has colours of its own choice for pixels."""
    from d2ltui.charts.canvas import Look  # it needs numpy, which the first paint must not

    background, app = widget.background_colors[1], widget.app
    colours = app.console.color_system in ("256", "truecolor") and not app.no_color
    return Look(background.rgb, background.get_contrast_text(1.0).rgb, colours, ascii)

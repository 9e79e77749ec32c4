"""Panes larger or smaller, by keys and with the mouse; remembered for the next time."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from textual import events
from textual.geometry import Region

from d2ltui.spec.language import _
from d2ltui.store import StoreError, pane_sizes
from d2ltui.tui.panes.spec import COLUMNS
from d2ltui.tui.screens.boundaries import Boundary, boundary_at, divided
from d2ltui.tui.screens.panes import PanesScreen
from d2ltui.tui.services.threads import begin, in_thread

STEP = 1.25  # times as large, or as small


class _Drag(NamedTuple):
    """A boundary that the mouse has taken hold of: where, the sizes beside it, and their weights."""

    boundary: Boundary
    at: int
    sizes: tuple[int, int]
    weights: tuple[float, float]


class SizingScreen(PanesScreen):
    """A screen of panes whose sizes can be changed: of a pane its share of the column, of a column its width."""

    def __init__(self) -> None:
        super().__init__()
        self._factors: dict[str, float] = {}
        self._remembering: asyncio.Task[None] | None = None
        self._drag: _Drag | None = None
        self._dragged: _Drag | None = None  # the same, once the mouse has moved

    def _say(self, hint: str) -> None:
        """Put `hint` below the status line."""
        raise NotImplementedError

    async def add_plugin_panes(self) -> None:
        """Also bring all panes to the sizes that they had the last time."""
        await super().add_plugin_panes()
        try:
            self._factors = {**await in_thread(pane_sizes.read), **self._factors}
        except StoreError as error:
            self.notify(str(error), severity="warning")
        if self._factors and self.is_attached:
            self._apply()

    def _apply(self) -> None:
        for name, spec in self.arrangement.specs.items():
            self.query_one(f"#{name}").styles.height = f"{spec.share * self._factors.get(name, 1.0)}fr"
        for column in COLUMNS:
            self.query_one(f"#{column}").styles.width = f"{self._factors.get(column, 1.0)}fr"
        self.call_after_refresh(self.tick)

    def action_resize(self, wider: int, higher: int) -> None:
        """The focused pane higher or lower by a step, or its column wider or narrower."""
        name = self._focused_pane() or self._left
        if name not in self.arrangement.specs:
            self._say(_("tab chooses a pane: ( ) make it lower and higher, { } its column narrower and wider"))
        elif self._single:
            self._say(_("one pane has the whole screen here"))
        else:
            changed = self.arrangement.specs[name].column if wider else name
            factor = self._factors.get(changed, 1.0) * STEP ** (wider or higher)
            factor = min(pane_sizes.MOST, max(pane_sizes.LEAST, factor))
            self._factors[changed] = 1.0 if abs(factor - 1) < 1e-6 else factor
            self._apply()
            self._keep()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the frame between two panes, or between two columns."""
        if self._single or event.button != 1:
            return
        columns = [(name, self.query_one(f"#{name}")) for name in COLUMNS]
        panes: dict[str, list[tuple[str, Region]]] = {
            name: [
                (pane, widget.region)
                for pane in self.arrangement.column(name)
                if (widget := self.query_one(f"#{pane}")).display
            ]
            for name in COLUMNS
        }
        shown = [(name, widget.region) for name, widget in columns if widget.display]
        boundary = boundary_at(event.screen_x, event.screen_y, shown, panes)
        if boundary is None:
            return
        first, second = (self.query_one(f"#{name}").region for name in (boundary.first, boundary.second))
        sizes = (first.width, second.width) if boundary.beside else (first.height, second.height)
        at = event.screen_x if boundary.beside else event.screen_y
        self._drag = _Drag(boundary, at, sizes, (self._weight(boundary.first), self._weight(boundary.second)))
        self.capture_mouse()
        event.stop()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Both neighbours follow the mouse."""
        drag = self._drag
        if drag is None:
            return
        event.stop()
        moved = (event.screen_x if drag.boundary.beside else event.screen_y) - drag.at
        if moved == 0 and self._dragged is None:
            return  # sizes in whole cells are not quite what the weights say: a click would change these
        shares = [self._share(name) for name in drag.boundary[:2]]
        total, (first, second) = sum(drag.weights), shares
        low = max(pane_sizes.LEAST * first, total - pane_sizes.MOST * second)
        high = min(pane_sizes.MOST * first, total - pane_sizes.LEAST * second)
        weights = divided(*drag.sizes, moved, drag.weights, beside=drag.boundary.beside, bounds=(low, high))
        factors = {name: weight / share for name, weight, share in zip(drag.boundary[:2], weights, shares, strict=True)}
        if any(self._factors.get(name, 1.0) != factor for name, factor in factors.items()):
            self._dragged = drag
            self._factors |= factors
            self._apply()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Let go, and remember the sizes."""
        if self._drag is not None:
            self._drag = None
            self.release_mouse()
            event.stop()
            if self._dragged is not None:
                self._dragged = None
                self._keep()

    def _share(self, name: str) -> float:
        """Of its column, or of the width, as long as nobody has changed it."""
        return 1.0 if name in COLUMNS else float(self.arrangement.specs[name].share)

    def _weight(self, name: str) -> float:
        return self._share(name) * self._factors.get(name, 1.0)

    def _keep(self) -> None:
        if self._remembering is None or self._remembering.done():
            self._remembering = begin(self.app, self._remember())

    async def _remember(self) -> None:
        """Write the sizes, and again where they have changed meanwhile."""
        written: dict[str, float] | None = None
        while written != self._factors:
            written = dict(self._factors)
            try:
                await in_thread(lambda factors=written: pane_sizes.write(factors))  # type: ignore[misc]
            except StoreError as error:
                self.notify(str(error), severity="warning")
                return

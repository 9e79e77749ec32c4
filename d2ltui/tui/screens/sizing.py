"""Panes larger or smaller, by keys; remembered for the next time."""

from __future__ import annotations

import asyncio

from d2ltui.store import StoreError, pane_sizes
from d2ltui.tui.panes.spec import COLUMNS
from d2ltui.tui.screens.panes import PanesScreen
from d2ltui.tui.services.threads import begin, in_thread

STEP = 1.25  # times as large, or as small


class SizingScreen(PanesScreen):
    """A screen of panes whose sizes can be changed: of a pane its share of the column, of a column its width."""

    def __init__(self) -> None:
        super().__init__()
        self._factors: dict[str, float] = {}
        self._remembering: asyncio.Task[None] | None = None

    def _say(self, hint: str) -> None:
        """Put `hint` below the status line."""
        raise NotImplementedError

    async def add_plugin_panes(self) -> None:
        """Also bring all panes to the sizes that they had the last time."""
        await super().add_plugin_panes()
        try:
            self._factors = {**await in_thread(pane_sizes.read), **self._factors}
        except StoreError as error:
            self.notify(str(error), severity="warning", markup=False)
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
            self._say("tab chooses a pane: ( ) make it lower and higher, { } its column narrower and wider")
        elif self._single:
            self._say("one pane has the whole screen here")
        else:
            changed = self.arrangement.specs[name].column if wider else name
            factor = self._factors.get(changed, 1.0) * STEP ** (wider or higher)
            factor = min(pane_sizes.MOST, max(pane_sizes.LEAST, factor))
            self._factors[changed] = 1.0 if abs(factor - 1) < 1e-6 else factor
            self._apply()
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
                self.notify(str(error), severity="warning", markup=False)
                return

"""The panes that there are on a screen, and what happens where one of them fails: nothing to anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from textual.geometry import Size

from d2ltui.spec.language import _
from d2ltui.store.defects import in_words, keep_traceback
from d2ltui.tui.panes import PANES
from d2ltui.tui.panes.arrangement import Arrangement
from d2ltui.tui.panes.spec import HasRemedy, HasTally, PaneSpec, RunPane, RunView
from d2ltui.tui.services.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from textual.screen import Screen

    from d2ltui.spec.events import Finding
    from d2ltui.spec.findings import Tally


class RunPanes:
    """The panes of `PANES` on one screen, by name."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen
        self.arrangement = Arrangement(PANES.present())
        self._known = set(self.arrangement.specs)  # those that have been made, or could not be
        self._panes: dict[str, RunPane] = {}

    def build(self, names: Iterable[str]) -> list[RunPane]:
        """Those of `names` that can be made; each of the others is told of in one sentence, and left out."""
        made = []
        for name in names:
            try:
                pane = self.arrangement.specs[name].build()
            except Exception as error:
                self._tell(_("pane {name} is left out").format(name=name), error)
                self.arrangement = self.arrangement.without(name)
                continue
            self._panes[name] = pane
            made.append(pane)
        return made

    async def look_for_plugins(self) -> list[PaneSpec]:
        """The panes of other packages that are not on the screen yet. To import those may take its time."""
        specs = await in_thread(lambda: list(PANES.values()))
        for problem in PANES.problems:
            self._screen.notify(problem, severity="warning", markup=False)
        new = [spec for spec in specs if spec.name not in self._known]
        self._known.update(spec.name for spec in new)
        return new

    def mount(self, specs: Iterable[PaneSpec]) -> list[Awaitable[None]]:
        """Make these panes and put each into its column; they are there at once, and ready when all are awaited."""
        new = list(specs)
        self.arrangement = Arrangement([*self.arrangement.specs.values(), *new])
        mounted: list[Awaitable[None]] = []
        for pane in self.build([spec.name for spec in new]):
            spec = self.arrangement.specs[str(pane.id)]
            column = self._screen.query_one(f"#{spec.column}")
            above = self.arrangement.column(spec.column)
            above = [name for name in above[: above.index(spec.name)] if self._panes[name].is_attached]
            if above:
                mounted.append(column.mount(pane, after=self._panes[above[-1]]))
            else:
                mounted.append(column.mount(pane, before=0 if column.children else None))
        return mounted

    def show(self, view: RunView, other: str | None = None) -> None:
        """Have every pane show `view`; or only those that depend on what is `other` than before, by its name there."""
        for pane in self._panes.values():
            if other is None or other not in pane.regardless_of:
                self._ask(pane, partial(pane.show_run, view))

    def prepare(self, view: RunView, frame: Size | None) -> None:
        """Have the panes that can be seen draw in the sizes that they are about to have."""
        for pane in self._panes.values():
            if pane.display:
                self._ask(pane, partial(pane.prepare, view, frame))

    @property
    def show_layers(self) -> bool:
        """Whether a pane that shows the layers can be seen."""
        specs = self.arrangement.specs
        return any(pane.display and specs[name].shows_layers for name, pane in self._panes.items())

    @property
    def finding(self) -> Finding | None:
        """The finding whose remedy is meant."""
        offered = (pane.selected for pane in self._panes.values() if isinstance(pane, HasRemedy))
        return next((finding for finding in offered if finding is not None), None)

    @property
    def tallies(self) -> dict[str, Tally]:
        """How many alarms and warnings there are, by the title of the tab that shows them."""
        panes = ((name, pane) for name, pane in self._panes.items() if isinstance(pane, HasTally))
        return {self.arrangement.tab_of(name): pane.tally for name, pane in panes if pane.tally.severity}

    def _ask(self, pane: RunPane, call: Callable[[], None]) -> None:
        if pane.failed:
            return
        try:
            call()
        except Exception as error:
            self.failed(pane, error)

    def failed(self, pane: RunPane, error: Exception) -> None:
        """A pane has raised `error`: it is told of once, and asked for nothing any more. The run goes on."""
        if not pane.failed:
            pane.fail(_("this pane has failed ({error})").format(error=in_words(error)))
            self._tell(_("pane {id} has failed, and the run continues").format(id=pane.id), error)

    def _tell(self, what: str, error: Exception) -> None:
        self._screen.notify(f"{what} ({in_words(error)}); {keep_traceback(error)}", severity="error", markup=False)

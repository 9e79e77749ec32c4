"""Where the panes stand: their columns on a wide terminal, their tabs on a narrow one, and their order."""

from __future__ import annotations

from collections.abc import Iterable

from d2ltui.tui.panes.spec import COLUMNS, FORM_PANES, FORM_TAB, PaneSpec

SHORT = 4  # characters of a tab's title where there is little room


class Arrangement:
    """The form's panes and some others. `tab` goes through them in their order: column by column, tab by tab."""

    def __init__(self, specs: Iterable[PaneSpec]) -> None:
        self.specs = {spec.name: spec for spec in sorted(specs, key=lambda spec: COLUMNS.index(spec.column))}
        self.tabs: dict[str, tuple[str, ...]] = {FORM_TAB: FORM_PANES}  # the panes that each shows, by its title
        self.short_titles = {FORM_TAB: FORM_TAB[:3]}
        for spec in self.specs.values():
            title = spec.tab_title
            self.tabs[title] = (*self.tabs.get(title, ()), spec.name)
            self.short_titles.setdefault(title, spec.short or title[:SHORT])
        self.order = tuple(name for names in self.tabs.values() for name in names)

    def without(self, name: str) -> Arrangement:
        """All but the pane `name`."""
        return Arrangement(spec for spec in self.specs.values() if spec.name != name)

    @property
    def first(self) -> str:
        """The pane that shows what a run is about."""
        return next(iter(self.specs), self.order[0])

    def tab_of(self, name: str) -> str:
        """The tab that shows the pane `name`."""
        return next(title for title, names in self.tabs.items() if name in names)

    def column(self, name: str) -> list[str]:
        """The panes of a column, from top to bottom."""
        return [pane for pane in self.order if pane in self.specs and self.specs[pane].column == name]

    def hidden(self, instead: set[str]) -> set[str]:
        """The panes that a wide terminal does not show while those of `instead` stand in the place of others."""
        covered = {name for spec in self.specs.values() if spec.name in instead for name in spec.in_place_of}
        return covered | {spec.name for spec in self.specs.values() if spec.in_place_of and spec.name not in instead}

    def showing(self, name: str, instead: set[str]) -> set[str]:
        """What stands in the place of others once the pane `name` is shown."""
        others = {other for other in instead if name not in self.specs[other].in_place_of}
        return others | {name} if name in self.specs and self.specs[name].in_place_of else others

"""The stored maps on the map's screen: choose one, show it."""

from __future__ import annotations

from d2ltui.spec.language import _
from d2ltui.store.errors import StoreError
from d2ltui.tui.host import Hosted
from d2ltui.tui.screens.once import Once
from d2ltui.tui.services.map_runner import StoredMaps
from d2ltui.tui.services.threads import begin, in_thread


class StoredMapActions(Hosted, Once):
    """A screen that shows a map."""

    def say(self, sentence: str) -> None:
        """A sentence in a line of its own."""
        raise NotImplementedError

    def must_wait(self) -> bool:
        """Whether something is being trained; it is said."""
        raise NotImplementedError

    def map_shown(self) -> None:
        """Another map is shown."""
        raise NotImplementedError

    def action_open_stored(self) -> None:
        """Choose one of the stored maps."""
        if not self.must_wait():
            begin(self.app, self._choose_stored())

    async def _choose_stored(self) -> None:
        from d2ltui.tui.screens.dialogs import ChoiceScreen

        found = await in_thread(StoredMaps.listed)
        growing = self.host.maps.present

        def chosen(name: str | None) -> None:
            if name and not self.must_wait():
                begin(self.app, self.show_stored(name))

        if not found:
            self.say(_("no map is stored yet: ctrl+r trains one"))
        elif self.is_active:
            self.open(ChoiceScreen(_("Stored maps"), found, growing.name if growing is not None else ""), chosen)

    async def show_stored(self, name: str) -> None:
        """Read a stored map, and show it."""
        try:
            growing = await in_thread(lambda: StoredMaps.read(name))
        except StoreError as error:
            self.say(str(error))
            return
        if self.is_attached and not self.must_wait():
            self.host.maps.show(growing)
            self.map_shown()

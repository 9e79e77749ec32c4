"""Screens that are put together before they are asked for.

To mount a screen, style it and lay it out takes several times as long as to show it. Where nobody has pressed a key for
a while, that is done for the next time that it is opened. Each is used once, so that it is new every time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from d2ltui.tui.render.compositor import BatchedScreen
from d2ltui.tui.render.internals import can_prepare_screens
from d2ltui.tui.screens.once import Once

if TYPE_CHECKING:
    from textual.app import App
    from textual.geometry import Size
    from textual.screen import Screen

Maker = Callable[[], "Screen[Any]"]

LOOK_EVERY = 0.5  # seconds between two looks at whether there is time
LAYOUTS = 4  # at most: what a screen holds may ask for another one, when it hears of its size
QUIET_FOR = 1.0  # seconds without a key: nobody waits for what is done here


class _Spare(NamedTuple):
    screen: Screen[Any]
    size: Size  # of the terminal that it is laid out for
    theme: int  # how often the theme had changed when it was styled


class SpareScreens:
    """A screen of each kind, ready to be shown.

    Args:
        app: where they are mounted.
        makers: by the name of a kind, what makes such a screen.
    """

    def __init__(self, app: App[Any], makers: Mapping[str, Maker]) -> None:
        self._app, self._makers = app, makers
        self._ready: dict[str, _Spare] = {}
        self._failed: set[str] = set()  # kinds that could not be made: whoever asks for one is told why

    def take(self, name: str) -> Screen[Any]:
        """A screen of that kind, which is the caller's now: a prepared one, or else a new one."""
        spare = self._ready.get(name)
        if spare is not None:
            self._give_up(name)
            if self._fits(spare) and spare.screen.is_mounted:
                return spare.screen
            self._app.call_later(spare.screen.remove)
        return self._makers[name]()

    def prepare_one(self) -> bool:
        """Put one together that is missing, or no longer fits; False where there is none, or Textual has changed."""
        if not can_prepare_screens(self._app):
            return False
        for name, make in self._makers.items():
            if name in self._failed:
                continue
            spare = self._ready.get(name)
            if spare is not None:
                if self._fits(spare):
                    continue
                self._give_up(name)
                self._app.call_later(spare.screen.remove)
            try:
                screen = make()
            except Exception as error:  # nobody has asked for it, and a run may be training: that goes on
                self._failed.add(name)
                self._app.log.error(f"no {name} screen could be prepared: {error!r}")
                continue
            self._ready[name] = _Spare(screen, self._app.size, self._app._css_update_count)
            self._app.install_screen(screen, f"spare {name}")  # so that it ends with the application
            self._app._load_screen_css(screen)
            _, mounted = self._app._get_screen(screen)
            self._app.run_worker(self._lay_out_or_leave(name, screen, mounted))
            return True
        return False

    async def _lay_out_or_leave(self, name: str, screen: Screen[Any], mounted: Awaitable[None]) -> None:
        try:
            await self._lay_out(screen, mounted)
        except Exception as error:  # as above: it is made and drawn when somebody asks for it
            self._failed.add(name)
            self._app.log.error(f"no {name} screen could be drawn ahead: {error!r}")
            if (spare := self._ready.get(name)) is not None and spare.screen is screen:
                self._give_up(name)
                self._app.call_later(screen.remove)

    async def _lay_out(self, screen: Screen[Any], mounted: Awaitable[None]) -> None:
        await mounted
        for left in reversed(range(LAYOUTS)):
            if not isinstance(screen, BatchedScreen) or not screen.is_attached or screen.is_current:
                return
            screen.lay_out(self._app.size)
            if isinstance(screen, Once):
                if screen.begun:  # and closed, or covered, since
                    return
                screen.fill()  # each time, as it may ask for another layout
            if left:
                await asyncio.sleep(LOOK_EVERY / 10)
            else:
                screen.draw_ahead()

    def _give_up(self, name: str) -> None:
        self._app.uninstall_screen(self._ready.pop(name).screen)

    def _fits(self, spare: _Spare) -> bool:
        return spare.size == self._app.size and spare.theme == self._app._css_update_count

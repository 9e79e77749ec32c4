"""Keys, clicks and pastes that arrive before the screen that they are meant for has been put together.

Textual has a screen answer as soon as it is on the stack, and mounts its widgets afterwards: what came in between found
a screen without its parts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

from textual import events
from textual.message import Message

from d2ltui.tui.render.key_queue import AT_ONCE

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen


LOOK_EVERY = 0.1  # seconds between two looks at whether a screen that is waited for is still there


class ScreenReady(Message):
    """The screen in front has been mounted."""


class EarlyInput:
    """Keeps what a person does, in order, until the screen in front is mounted."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._kept: deque[events.Event] = deque()
        self._waiting: asyncio.Task[None] | None = None

    def keeps(self, event: events.Event) -> bool:
        """Whether `event` is kept for later. The ways out wait for nothing."""
        if isinstance(event, events.Key) and event.key in AT_ONCE:
            return False
        if not self._app.screen_stack:
            return True  # the application ends, or has hardly begun
        screen = self._app.screen
        if screen.is_mounted and not self._kept:
            return False
        self._kept.append(event)
        if self._waiting is None:
            self._waiting = asyncio.create_task(self._wait(screen))
        return True

    def released(self) -> list[events.Event]:
        """What has been kept; it is the caller's now."""
        self._waiting = None
        kept = list(self._kept)
        self._kept.clear()
        return kept

    async def _wait(self, screen: Screen[Any]) -> None:
        # A screen may be gone before it was ever mounted: what is typed must not wait for that one for ever.
        while not screen.is_mounted and screen in self._app.screen_stack:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(screen._mounted_event.wait(), LOOK_EVERY)
        self._app.post_message(ScreenReady())

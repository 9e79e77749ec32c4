"""Keys one after the other: each goes where the one before it has led.

Textual gives a key to the widget that has the focus when the key arrives. Keys that arrive together, as they do over a
link that stalls, would all go to the same one: the second `tab` would start where the first did, and what was typed
after it would end up in another field. Here a key waits until the one before it has been handled.
"""

from __future__ import annotations

import asyncio
from collections import deque

from textual import events
from textual.message import Message
from textual.message_pump import MessagePump

AT_ONCE = frozenset({"ctrl+c", "ctrl+q"})  # the ways out wait for nothing
# Seconds after which it is looked whether the widget that had the last key is gone, as a dialog is that the key has
# closed: then the next one comes.
PATIENCE = 0.02
LOOKS = 50  # and after so many looks it comes in any case: no key waits for ever for one that has been lost


class KeyHandled(Message):
    """Follows a key through the same queues, from the widget that got it up to the application."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class KeyQueue:
    """The keys that wait for the one before them."""

    def __init__(self, app: MessagePump) -> None:
        self._app = app
        self._waiting: deque[events.Key] = deque()
        self._under_way: int | None = None
        self._count = 0
        self._last = 0.0  # when the last key was given to anything, by the loop's clock
        self._patience: asyncio.TimerHandle | None = None

    @property
    def any(self) -> bool:
        """Whether a key has been given to anything yet."""
        return self._count > 0

    def quiet_for(self, seconds: float) -> bool:
        """Whether no key has come for so long."""
        return self._under_way is None and asyncio.get_running_loop().time() - self._last > seconds

    @property
    def busy(self) -> bool:
        """Whether a key has been given to a widget that has not done with it."""
        return self._under_way is not None

    @property
    def waits(self) -> bool:
        """Whether a key waits for the one before it."""
        return bool(self._waiting)

    def admit(self, key: events.Key) -> bool:
        """Whether `key` may be given to the focused widget now; otherwise it is kept."""
        if self._under_way is None or key.key in AT_ONCE:
            return True
        self._waiting.append(key)
        return False

    def with_text_behind(self, key: events.Key) -> events.Key | events.Paste:
        """`key`, for a text field; together with the characters that wait right behind it, where there are any.

        One by one each would have the field drawn and the form checked again: a text that is pasted into a terminal
        without brackets around it takes seconds so.
        """
        if not key.is_printable or not self._waiting or not self._waiting[0].is_printable:
            return key
        text = key.character or ""
        while self._waiting and self._waiting[0].is_printable:
            text += self._waiting.popleft().character or ""
        return events.Paste(text)

    def dispatched(self, target: MessagePump) -> None:
        """A key has just been given to `target`."""
        self._count += 1
        self._under_way = self._count
        loop = asyncio.get_running_loop()
        self._last = loop.time()
        self._patience = loop.call_later(PATIENCE, self._look, target, self._count, LOOKS)
        if not target.post_message(KeyHandled(self._count)):
            self._app.post_message(KeyHandled(self._count))  # the key itself has closed what it was given to

    def _look(self, target: MessagePump, number: int, looks: int) -> None:
        """A busy machine may take longer; only a widget that is gone never answers."""
        if number != self._under_way:
            return
        if looks > 0 and target._running and not target._closing:
            self._patience = asyncio.get_running_loop().call_later(PATIENCE, self._look, target, number, looks - 1)
        else:
            self._app.post_message(KeyHandled(number))

    def handled(self, number: int) -> events.Key | None:
        """Key `number` has been handled: the next one, if one waits."""
        if number != self._under_way:
            return None  # it was given up on
        self._under_way = None
        if self._patience is not None:
            self._patience.cancel()
        return self._waiting.popleft() if self._waiting else None

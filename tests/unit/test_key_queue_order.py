"""What a key waits for, when the widget that got the one before it is gone."""

from __future__ import annotations

import asyncio

from textual import events
from textual.message import Message

from d2ltui.tui.render import key_queue
from d2ltui.tui.render.key_queue import KeyHandled, KeyQueue


class Pump:
    """A widget, or the application, as the queue sees it."""

    _running = True
    _closing = False

    def __init__(self) -> None:
        self.got: list[Message] = []

    def post_message(self, message: Message) -> bool:
        if self._closing:
            return False
        self.got.append(message)
        return True


def queue() -> tuple[KeyQueue, Pump, Pump]:
    app = Pump()
    return KeyQueue(app), app, Pump()  # type: ignore[arg-type]


async def test_a_key_that_has_closed_its_own_dialog_holds_up_nothing() -> None:
    keys, app, dialog = queue()
    dialog._closing = True
    keys.dispatched(dialog)  # type: ignore[arg-type]
    following = events.Key("b", "b")
    assert not keys.admit(following)
    (handled,) = app.got  # at once: nobody has to look first
    assert isinstance(handled, KeyHandled)
    assert keys.handled(handled.number) is following
    assert not keys.busy


async def test_a_dialog_that_goes_before_it_answers_holds_up_nothing() -> None:
    keys, app, dialog = queue()
    keys.dispatched(dialog)  # type: ignore[arg-type]
    assert len(dialog.got) == 1
    dialog._closing = True
    await asyncio.sleep(5 * key_queue.PATIENCE)
    assert [type(message) for message in app.got] == [KeyHandled]
    keys.handled(app.got[0].number)  # type: ignore[attr-defined]


async def test_a_widget_that_takes_its_time_is_waited_for() -> None:
    keys, app, slow = queue()
    keys.dispatched(slow)  # type: ignore[arg-type]
    await asyncio.sleep(5 * key_queue.PATIENCE)
    assert app.got == []
    assert keys.busy
    assert keys.handled(slow.got[0].number) is None  # type: ignore[attr-defined]
    assert not keys.busy

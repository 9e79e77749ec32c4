"""What may take its time, in a thread: a directory on a network, a file that another process holds."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from textual.app import App

T = TypeVar("T")

GONE = 10.0  # seconds after which an event loop that does not answer has ended


def begin(app: App[Any], work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task for `work`, a defect of which ends the application as one in a handler does."""
    task = asyncio.create_task(work)

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            app.call_later(task.result)  # which raises it

    task.add_done_callback(ended)
    return task


async def in_thread(work: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
    """What `work` returns or raises, called in a thread of its own.

    Nobody waits for it on the way out: asyncio's own threads would hold up the end of the process for as long as a
    network that does not answer. Where nobody waits for the result any more, `undo` gets it, in that thread.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    taken = threading.Event()  # whether the result has reached whoever waits

    def hand_over(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]
            taken.set()

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:  # raised again where it is waited for
            failure = error
        done = threading.Event()

        def tell() -> None:
            hand_over(result, failure)
            done.set()

        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(tell)
            done.wait(GONE)
        if undo is not None and failure is None and not taken.is_set():
            undo(result)  # type: ignore[arg-type]

    threading.Thread(target=run, name="d2ltui-read", daemon=True).start()
    try:
        return await future
    except asyncio.CancelledError:
        # Between the result and the next turn of whoever waits for it: it is nobody's any more.
        if undo is not None and future.done() and not future.cancelled() and future.exception() is None:
            threading.Thread(target=undo, args=(future.result(),), name="d2ltui-undo", daemon=True).start()
        raise

"""Work in a thread: its result, its error, and a result that nobody waits for any more."""

from __future__ import annotations

import asyncio
import threading

import pytest
from textual.app import App

from d2ltui.tui.services.threads import begin, in_thread


async def test_a_result_and_an_error_come_back() -> None:
    assert await in_thread(lambda: threading.current_thread().name) == "d2ltui-read"
    undone: list[int] = []
    assert await in_thread(lambda: 7, undo=undone.append) == 7
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0, undo=undone.append)
    await asyncio.sleep(0.05)
    assert undone == []


async def test_what_nobody_waits_for_any_more_is_undone() -> None:
    go_on, undone = threading.Event(), threading.Event()

    def work() -> int:
        assert go_on.wait(30)
        return 3

    waiting = asyncio.create_task(in_thread(work, undo=lambda result: undone.set() if result == 3 else None))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not undone.is_set()
    go_on.set()
    assert await asyncio.get_running_loop().run_in_executor(None, undone.wait, 30)


def test_the_end_of_the_loop_waits_for_nothing() -> None:
    go_on, undone = threading.Event(), threading.Event()

    async def leave() -> asyncio.Task[bool]:
        task = asyncio.create_task(in_thread(lambda: go_on.wait(30), undo=lambda _: undone.set()))
        await asyncio.sleep(0.05)
        return task

    asyncio.run(leave())  # with asyncio's own threads, this would take 30 seconds
    assert not undone.is_set()
    go_on.set()
    assert undone.wait(30)


async def test_a_result_that_comes_with_the_cancellation_is_undone() -> None:
    """The result is there, and whoever waits has not had its turn yet."""
    loop, undone = asyncio.get_running_loop(), threading.Event()
    handed = threading.Event()
    real = loop.call_soon_threadsafe

    def batch_refresh(callback, *args, context=None):  # type: ignore[no-untyped-def]
        def both() -> None:
            callback(*args)
            waiting.cancel()
            handed.set()

        return real(both)

    loop.call_soon_threadsafe = batch_refresh  # type: ignore[method-assign,assignment]
    try:
        waiting = asyncio.create_task(in_thread(lambda: 3, undo=lambda result: undone.set() if result == 3 else None))
        with pytest.raises(asyncio.CancelledError):
            await waiting
    finally:
        del loop.call_soon_threadsafe  # type: ignore[method-assign]
    assert handed.is_set()
    assert await loop.run_in_executor(None, undone.wait, 30)


@pytest.mark.parametrize("broken", [True, False])
async def test_a_defect_in_what_was_begun_ends_the_application(broken: bool) -> None:
    app = App[None]()

    async def work() -> None:
        if broken:
            raise ZeroDivisionError

    async def run() -> None:
        async with app.run_test() as pilot:
            begin(app, asyncio.sleep(100)).cancel()
            await asyncio.wait([begin(app, work())])  # which raises nothing itself
            await pilot.pause(0.1)

    if broken:
        with pytest.raises(ZeroDivisionError):
            await run()
        assert app.return_code == 1
    else:
        await run()
        assert not app.return_code

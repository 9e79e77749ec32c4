"""The storm without a terminal: the same events, posted to the application in this process."""

from __future__ import annotations

import asyncio
import collections
import os
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import textual.app
import textual.pilot
from textual import events
from textual.geometry import Size

from d2ltui.tui.parser import InputParser

from .terminal import HANG, Blown, Clock, Report
from .weather import PROBE, Gust, Weather

ALL_AT_ONCE = 0.02  # of a pause; nobody types here


def run(arguments: Sequence[str], home: Path, cwd: Path, seed: str, events: int, limit: float) -> Report:
    """As `terminal.run`, without what only a terminal has: bytes that are split, suspension, the way out."""
    os.environ |= {"D2LTUI_HOME": str(home), "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    os.chdir(cwd)
    last: collections.deque[Gust] = collections.deque(maxlen=60)
    try:
        return asyncio.run(_run(arguments, seed, events, limit, last))
    except Exception as error:
        what = str(error) if isinstance(error, Blown) else "".join(traceback.format_exception(error))[-4000:]
        listed = "\n".join(f"    {gust.what} {gust.size or gust.data!r}" for gust in last)
        raise Blown(f"{what}\nin {seed}; the last events:\n{listed}") from None


async def _run(arguments: Sequence[str], seed: str, count: int, limit: float, last: collections.deque[Gust]) -> Report:
    from d2ltui.spec.config import resolve
    from d2ltui.tui.app import D2LApp

    async def batch_refresh(*_: object) -> None:  # a process that trains is never idle
        await asyncio.sleep(0)

    for module in (textual.app, textual.pilot):
        module.wait_for_idle = batch_refresh  # type: ignore[attr-defined]
    names = iter(arguments)
    given: dict[str, object] = {}
    for name in names:
        if name not in ("--start", "--no-store"):
            given[name[2:].replace("-", "_")] = next(names)
    app = D2LApp(resolve(given), start="--start" in arguments, store="--no-store" not in arguments, ascii=False)
    thrown = probes = 0
    longest = 0.0
    parser = InputParser(expects_sizes=lambda: False)
    try:
        async with app.run_test(size=(80, 24), notifications=True):
            due = 30
            for gust in Weather(seed).gusts():
                last.append(gust)
                _throw(app, parser, gust)
                await asyncio.sleep(gust.pause * ALL_AT_ONCE)
                thrown += 1
                if not app.is_running or app._exception is not None or thrown >= count:
                    break
                if thrown >= due:
                    due += 40
                    await _answer(app, parser, HANG)
                    waited = await _answer(app, parser, HANG)
                    longest, probes = max(longest, waited), probes + 1
                    if waited > limit:
                        raise Blown(f"a key waited {waited:.2f} s")
    finally:
        app.stored.leave()
        app.stop_run()
        for thread in threading.enumerate():
            if thread.name.startswith("d2ltui-"):
                await asyncio.to_thread(thread.join, HANG)
    return Report(thrown, probes, longest)


def _throw(app: Any, parser: InputParser, gust: Gust) -> None:
    if gust.size is not None:
        app._driver._size = gust.size
        app.post_message(events.Resize(Size(*gust.size), Size(*gust.size)))
        return
    text = gust.data.decode(errors="ignore")
    for event in [*(parser.feed(text) if text else ()), *parser.tick()]:
        app._driver.process_message(event)


async def _answer(app: Any, parser: InputParser, patience: float) -> float:
    """Seconds until the other theme is there."""
    before = app.theme
    await asyncio.sleep(0.12)
    for event in parser.tick():
        app._driver.process_message(event)
    clock = Clock(os.getpid())
    _throw(app, parser, Gust("probe", PROBE))
    while app.theme == before and app.is_running and app._exception is None:
        if clock.seconds() > patience:
            raise Blown(f"no answer to a key for {patience:g} s")
        await asyncio.sleep(0.005)
    return clock.seconds()

"""The application's life in a terminal: from before it takes the terminal until everything of it has ended."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Collection
from pathlib import Path

from d2ltui.spec import output
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.store.home import name_of_group
from d2ltui.tui.app import D2LApp
from d2ltui.tui.signals import AppSignals
from d2ltui.tui.typed_ahead import TypedAhead

# How long the way out waits for the training thread, in seconds. It answers within a step, unless it is loading.
JOIN_TIMEOUT = 1.0
# How long it then waits for the run's end to be stored: the last checkpoint of a large model takes its time.
STORE_TIMEOUT = 30.0


def run_app(
    config: RunConfig,
    signals: AppSignals,
    typed_ahead: TypedAhead,
    *,
    typed: Collection[str] = (),
    start: bool = False,
    exit_when_done: bool = False,
    as_json: bool = False,
    max_fps: float = 4.0,
    store: bool = True,
    on_hangup: str = "continue",
    watch: Path | None = None,
) -> int:
    """Run the application in this terminal; returns the exit status.

    `signals` and `typed_ahead` were begun before it was imported. `typed` are the fields of `config` that somebody gave
    it: they stay where a default would follow another choice.
    """
    app = D2LApp(
        config,
        typed=typed,
        start=start,
        exit_when_done=exit_when_done,
        max_fps=max_fps,
        store=store,
        on_hangup=on_hangup,
        watch=watch,
        signals=signals,
        typed_ahead=typed_ahead,
    )
    try:
        app.run()
    finally:
        signals.detach()
        app.undisturbed.started()
        app.stored.leave(JOIN_TIMEOUT)
    ended = _finish_run(app, signals)
    status = app.return_code or 0
    if signals.ended_by is not None and (app.hung_up or status == 0):
        status = 128 + signals.ended_by
    if watch is not None and name_of_group(watch) is None:
        status = (_print_stored(watch) if as_json else None) or status
    elif exit_when_done:
        status = _print_result(app, as_json) or status
    if not ended or "torch" in sys.modules:
        # Everything of ours is closed, and a thread that is still inside an import or a download is not waited for.
        # Python's own way out unloads PyTorch piece by piece: a second, or several on a busy machine.
        status = output.flush() or status
        os._exit(status)
    return status


def _print_result(app: D2LApp, as_json: bool) -> int | None:
    """What the run has come to, where the screen that said so is gone; the exit status where that cannot be printed."""
    last = app.live.ended if app.live is not None else None
    if last is None:
        return None
    try:
        if last.status in ("failed", "diverged"):
            print(f"{last.status}: {last.message}", file=sys.stderr, flush=True)
        if as_json:
            from d2ltui.spec.events import to_json
            from d2ltui.spec.findings import finding_values

            name = app.run_name
            found = app.live.findings if app.live is not None else ()
            told = {"findings": [finding_values(finding) for finding in found]}
            print(to_json({**last.summary, **told, **({"run": name} if name else {})}), flush=True)
    except OSError as error:
        return output.unwritable(error, sys.stderr)
    return None


def _print_stored(path: Path) -> int | None:
    """What is stored of the run that was watched; the exit status where that cannot be read or printed."""
    from d2ltui.spec.text import json_line
    from d2ltui.store.errors import StoreError
    from d2ltui.store.export import overview
    from d2ltui.store.map_reader import MapReader
    from d2ltui.store.maps import maps_dir
    from d2ltui.store.reader import RunReader

    try:
        if path.parent == maps_dir():
            print(json_line(MapReader(path).overview()), flush=True)
            return None
        with RunReader(path) as reader:
            print(json_line(overview(reader)), flush=True)
    except StoreError as error:
        print(f"d2ltui: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        return output.unwritable(error, sys.stderr)
    return None


def _finish_run(app: D2LApp, signals: AppSignals) -> bool:
    """Wait for what is trained; False where it does not end soon. Without a terminal, it goes on to its end."""
    if not app.hung_up:
        app.stop_run()
        until = time.monotonic() + STORE_TIMEOUT
        joined = app.join(JOIN_TIMEOUT)
        loads = app.live is None or app.live.started is None  # of that, only its end is to be stored
        if not joined and (app.owes_the_store or not loads):
            with contextlib.suppress(OSError):
                print(_("d2ltui: storing the run …"), file=sys.stderr, flush=True)
        while not joined and (app.owes_the_store or not loads) and time.monotonic() < until and not signals.impatient:
            joined = app.join(0.1)
        _finish_lesson(app, signals, until)
        mapped = app.maps.join(JOIN_TIMEOUT)
        while not mapped and time.monotonic() < until and not signals.impatient:
            mapped = app.maps.join(0.1)  # it stores the cells that it had
        return mapped and joined
    signals.on_end = app.stop_run
    if signals.ended_by is not None:
        app.stop_run()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):  # whatever a library prints must not fail for want of a terminal
        os.dup2(null, descriptor)
    while not (app.join(1.0) and app.maps.join(1.0)):
        pass
    _finish_lesson(app, signals, time.monotonic() + STORE_TIMEOUT)
    return True


def _finish_lesson(app: D2LApp, signals: AppSignals, until: float) -> None:
    """End the lesson that is being measured, and wait for its runs to be stored."""
    app.measuring.stop()
    while app.measuring.owes_the_store and time.monotonic() < until and not signals.impatient:
        app.measuring.join(0.1)

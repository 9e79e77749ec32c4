"""The garbage collector leaves the libraries alone, and nothing else."""

from __future__ import annotations

import asyncio
import gc
import os
import weakref
from collections.abc import Iterator

import pytest

from d2ltui.engine.control import Control
from d2ltui.engine.gc import freeze_gc
from d2ltui.engine.trainer import Trainer
from d2ltui.spec import collector
from d2ltui.spec.config import resolve
from d2ltui.tui.app import D2LApp
from d2ltui.tui.run import run_app
from d2ltui.tui.services.undisturbed import Undisturbed
from d2ltui.tui.signals import AppSignals
from d2ltui.tui.typed_ahead import TypedAhead


class Ring:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """As a process is before its first run."""
    gc.unfreeze()
    freeze_gc.cache_clear()
    yield
    gc.unfreeze()
    gc.freeze()  # as it was


def test_a_run_leaves_what_was_imported_alone() -> None:
    Trainer(resolve({"model": "linear", "epochs": "1"}), Control(), []).run()
    assert gc.get_freeze_count() > 100_000


def test_a_later_run_does_not_count_what_is_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """That takes as long as there are objects, and nothing else happens meanwhile."""
    freeze_gc()
    monkeypatch.setattr(gc, "get_freeze_count", lambda: pytest.fail("it counts"))
    Trainer(resolve({"model": "linear", "epochs": "1"}), Control(), []).run()


def test_what_comes_later_is_collected() -> None:
    freeze_gc()
    frozen = gc.get_freeze_count()
    ring = weakref.ref(Ring())
    freeze_gc()  # the next run: its predecessor's garbage is not kept for ever
    assert gc.get_freeze_count() <= frozen  # some of them may have gone meanwhile
    gc.collect()
    assert ring() is None


def test_an_application_that_is_never_painted_holds_nothing_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(D2LApp, "run", lambda self: None)
    monkeypatch.setattr(os, "_exit", lambda status: None)
    collector.hold()  # as the command line does
    try:
        with AppSignals() as signals, TypedAhead() as typed_ahead:
            run_app(resolve({}), signals, typed_ahead, store=False)
        assert gc.isenabled()
    finally:
        collector.release()


def test_nobody_ends_what_another_has_asked_for() -> None:
    collector.hold()
    with collector.held():
        assert not gc.isenabled()
    assert not gc.isenabled()
    collector.release()
    assert gc.isenabled()
    collector.release()
    with collector.held():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_where_it_was_off_it_stays_off() -> None:
    gc.disable()
    try:
        with collector.held():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


async def test_a_key_that_is_never_answered_holds_it_off_for_a_moment_only() -> None:
    answer = Undisturbed(0.01)
    answer.begin()
    answer.begin()
    assert not gc.isenabled()
    answer.end()
    assert gc.isenabled()
    answer.begin()
    await asyncio.sleep(0.05)
    assert gc.isenabled()

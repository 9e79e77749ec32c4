"""The garbage collector leaves the libraries alone, and nothing else."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from d2ltui.engine.control import Control
from d2ltui.engine.gc import freeze_gc
from d2ltui.engine.trainer import Trainer
from d2ltui.spec.config import resolve


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

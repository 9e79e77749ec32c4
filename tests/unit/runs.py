"""Runs in the test's own thread: short ones, a tape of what they told, and a reader of a stored one."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor

from d2ltui.engine import preparation
from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.spec import events
from d2ltui.spec.catalogue import DATASETS
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.store import home

E = TypeVar("E", bound=events.Event)
Copied = Callable[[Callable[[], Path]], Path]  # of `conftest.copied`: a run that is made once, in this test's own home
LINEAR: Mapping[str, object] = {"model": "linear", "batch_size": 100, "epochs": 3, "device": "cpu"}  # 10 steps an epoch


def short(**given: object) -> RunConfig:
    """A run of linear regression: 3 epochs of 10 steps, or what `given` makes of it."""
    return resolve({**LINEAR, **given})


def samples(config: RunConfig, n: int = 60, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """`n` samples of the shape and task of `config`'s data set."""
    data = DATASETS[config.dataset]
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, data.num_inputs, generator=generator, dtype=dtype)
    if data.task == "regression":
        return x, torch.randn(n, data.num_outputs, generator=generator, dtype=dtype)
    return x, torch.randint(data.num_outputs, (n,), generator=generator)


def rules(found: tuple[events.Finding, ...]) -> dict[str, str]:
    """How serious each rule's finding is."""
    return {finding.rule: finding.severity for finding in found}


class Tape:
    """A sink that keeps every event, and the trainer's step count when it came."""

    def __init__(self) -> None:
        self.events: list[events.Event] = []

    def __call__(self, event: events.Event) -> None:
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def statuses(self) -> list[str]:
        """The words that the status line would have shown."""
        return [e.status for e in self.events if isinstance(e, (events.StatusChanged, events.RunEnded))]

    @property
    def losses(self) -> np.ndarray:
        """Every step's loss."""
        return np.concatenate([e.losses for e in self.of(events.StepsTrained)] or [np.empty(0, np.float32)])

    @property
    def metrics(self) -> np.ndarray:
        """Every step's metric."""
        return np.concatenate([e.metrics for e in self.of(events.StepsTrained)] or [np.empty(0, np.float32)])

    @property
    def ended(self) -> events.RunEnded:
        """The last event."""
        last = self.events[-1]
        assert isinstance(last, events.RunEnded)
        return last


def run(
    config: RunConfig, control: Control | None = None, *sinks: events.Sink, **options: object
) -> tuple[Trainer, Tape]:
    """Trains to the end in this thread."""
    tape = Tape()
    trainer = Trainer(config, control or Control(), [tape, *sinks], **options)  # type: ignore[arg-type]
    ended = trainer.run()
    assert tape.ended is ended
    assert len(tape.of(events.RunEnded)) == 1
    return trainer, tape


def during_step(monkeypatch: pytest.MonkeyPatch, requests: Mapping[int, Callable[[], object]]) -> list[int]:
    """Makes each of `requests`, by step number, in the middle of that training step. Returns the steps as they come."""
    made: list[int] = []
    make = preparation.make_optimizer

    def watched(config: RunConfig, network: object) -> object:
        optimizer = make(config, network)  # type: ignore[arg-type]
        step = optimizer.step

        def counted() -> None:
            step()
            made.append(len(made) + 1)
            if len(made) in requests:
                requests[len(made)]()

        optimizer.step = counted  # type: ignore[method-assign]
        return optimizer

    monkeypatch.setattr(preparation, "make_optimizer", watched)
    return made


@contextlib.contextmanager
def read_by_another(path: Path) -> Iterator[None]:
    """A reader that does not let go: nothing can be committed meanwhile."""
    with contextlib.closing(sqlite3.connect(path / home.DATABASE, isolation_level=None)) as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT count(*) FROM meta").fetchone()
        yield
        holder.execute("ROLLBACK")

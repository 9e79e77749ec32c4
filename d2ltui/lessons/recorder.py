"""What a lesson asks of whoever stores its runs; the store's side of it is `runner.lesson_recorder`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from d2ltui.spec.config import RunConfig
from d2ltui.spec.events import Sink

if TYPE_CHECKING:
    from d2ltui.engine.checkpoint import CheckpointSink
    from d2ltui.engine.control import Control

GROUP = "lesson-"
KIND = "lesson"


class RecordedRun(NamedTuple):
    """A run of a lesson.

    `role` is its experiment's, `label` what it is called, `number` its place among the lesson's runs, from 1. `changed`
    says in what the run is not what `config` describes: other data, another loss.
    """

    config: RunConfig
    role: str
    label: str
    number: int
    total: int
    steps_per_epoch: int
    changed: dict[str, object]


class RunRecorder(Protocol):
    """Stores one lesson's runs, one after the other. Nothing that goes wrong there reaches the lesson."""

    def begin(self, run: RecordedRun, control: Control) -> tuple[Sink, CheckpointSink | None]:
        """A run begins: who is to be told of it, and who keeps its checkpoints."""

    def end(self) -> None:
        """It is over. Returns soon, though not all may be written."""

    def close(self, *, finished: bool) -> None:
        """The lesson is over: wait until everything is written. Where it has `finished`, earlier runs of it go."""


def group_of(lesson: str) -> str:
    """The group of the runs of the lesson with that name."""
    return f"{GROUP}{lesson}"


def stem_of(lesson: str, label: str) -> str:
    """What a run's directory is called before its number: `dropout-digits-without`."""
    return _slug(f"{lesson}-{label}")[:80].strip("-") or KIND


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")

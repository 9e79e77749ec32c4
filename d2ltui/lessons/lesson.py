"""What a lesson is. Plain values: nothing here imports PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from d2ltui.lessons.measured import Experiment, Measured
from d2ltui.spec.text import printable

if TYPE_CHECKING:
    from d2ltui.lessons.bench import Bench


class Lesson(msgspec.Struct, frozen=True):
    """A claim, the experiments that test it, and a page about it.

    `measure(bench)` carries the experiments out and needs PyTorch; everything else does not.
    """

    name: str
    title: str
    section: str
    claim: str
    formula: str
    text: str
    measure: Callable[[Bench], Measured]
    experiments: tuple[Experiment, ...] = ()

    @property
    def uses_images(self) -> bool:
        """Whether it trains on MNIST or Fashion-MNIST where they are at hand."""
        return any(experiment.given.get("dataset") in ("mnist", "fashion-mnist") for experiment in self.experiments)


def check_lesson(lesson: Lesson) -> None:
    """That `lesson` can be offered. Raises ValueError, with what is wrong."""
    for field in ("title", "claim"):
        if not (text := getattr(lesson, field)) or printable(text) != text:
            raise ValueError(f"{field}: {text!r} is no line of text")
    for text in (lesson.formula, lesson.text):
        for line in text.splitlines():
            if printable(line) != line:
                raise ValueError(f"text: {line!r} is no line of text")
    if not callable(lesson.measure):
        raise ValueError("measure: it is no function")
    roles = [experiment.role for experiment in lesson.experiments]
    if len(set(roles)) < len(roles):
        raise ValueError(f"experiments: {', '.join(roles)} are not allowed; allowed: roles that differ")

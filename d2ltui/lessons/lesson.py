"""What a lesson is. Plain values: nothing here imports PyTorch."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from d2ltui.lessons.lesson_map import LessonMap
from d2ltui.lessons.measured import Experiment, Measured
from d2ltui.lessons.trial import Trial
from d2ltui.spec.config import resolve
from d2ltui.spec.language import _, pgettext
from d2ltui.spec.numbers import setting
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.text import printable
from d2ltui.spec.versions import differing_fields
from d2ltui.spec.width import joined

if TYPE_CHECKING:
    from d2ltui.lessons.bench import Bench


class Lesson(msgspec.Struct, frozen=True):
    """A claim, the experiments that test it, and a page about it.

    `see` is one line of what there will be to see. Of `text`, a paragraph whose lines begin with four spaces is code;
    `formula`, and `example`, which is the formula in numbers, are shown line by line as they are.

    `map`, where it has one, shows the claim over two hyperparameters.

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
    see: str = ""
    example: str = ""
    trials: tuple[Trial, ...] = ()
    map: LessonMap | None = None

    @property
    def uses_images(self) -> bool:
        """Whether it trains on MNIST or Fashion-MNIST where they are at hand."""
        return any(experiment.given.get("dataset") in ("mnist", "fashion-mnist") for experiment in self.experiments)

    @property
    def place(self) -> tuple[int, ...]:
        """Where it stands in the book: (5, 1, 2) for section 5.1.2."""
        return tuple(map(int, re.findall(r"\d+", re.split(r"[^\d.]", self.section)[0])))

    def fields_of(self, role: str) -> dict[str, Any]:
        """What is given of the experiment with this role; nothing where there is none."""
        return next((_used(e.given) for e in self.experiments if e.role == role), {})

    def fields_to_try(self, trial: Trial) -> dict[str, Any]:
        """The same with what is to be changed."""
        return _used({**self.fields_of(trial.role), **trial.given})

    def changes_to_try(self, trial: Trial) -> dict[str, Any]:
        """What becomes another in the form, fields that follow what is given included; all, where it was none."""
        if not trial.role:
            return trial.given
        changed = resolve(self.fields_to_try(trial), unused=True)
        names = differing_fields(changed, resolve(self.fields_of(trial.role), unused=True))
        return {name: getattr(changed, name) for name in names}

    def command_to_try(self, trial: Trial) -> str:
        """The same as a line for the shell."""
        fields = self.fields_to_try(trial).items()
        return " ".join(("d2ltui train", *(f"--{name.replace('_', '-')} {setting(value)}" for name, value in fields)))


class Paragraph(NamedTuple):
    """A part of a lesson's text: one line that is broken where the screen ends, or lines of code that are not."""

    text: str
    is_code: bool


def paragraphs(text: str) -> list[Paragraph]:
    """The parts of a lesson's `text`."""
    found = []
    for part in text.strip("\n").split("\n\n"):
        lines = part.split("\n")
        is_code = all(line.startswith("    ") for line in lines)
        found.append(Paragraph(part if is_code else joined(lines), is_code))
    return found


def _used(given: dict[str, Any]) -> dict[str, Any]:
    """Without the standard deviation of another initialisation than the normal one, which has no use for it."""
    idle = "init_std" if given.get("init", "normal") != "normal" else ""
    return {name: value for name, value in given.items() if name != idle}


def fields_in_words(given: dict[str, Any]) -> str:
    """`given` as the form calls its fields and writes their values; those that have no effect are left out."""
    return _(", ").join(
        f"{pgettext('column', name.replace('_', ' '))} {setting(value)}" for name, value in _used(given).items()
    )


def fields_in_english(given: dict[str, Any]) -> str:
    """The same as it is stored, whatever language is spoken."""
    return ", ".join(f"{name.replace('_', ' ')} {setting(value)}" for name, value in _used(given).items())


def check_lesson(lesson: Lesson) -> None:
    """That `lesson` can be offered. Raises ValueError, with what is wrong."""
    for field in ("title", "claim", "section", "see"):
        text = getattr(lesson, field)
        if (not text and field in ("title", "claim")) or printable(text) != text:
            raise ValueError(f"{field}: {text!r} is no line of text")
    said = (text for trial in lesson.trials for text in (trial.do, trial.expect))
    for text in (lesson.formula, lesson.text, lesson.example, *said):
        for line in text.splitlines():
            if printable(line) != line:
                raise ValueError(f"text: {line!r} is no line of text")
    if not callable(lesson.measure):
        raise ValueError("measure: it is no function")
    if lesson.map is not None:
        try:
            lesson.map.spec  # noqa: B018 (it is checked when it is made)
        except ConfigError as error:
            raise ValueError(f"map: {error.problems[0].message}") from None
        if not lesson.map.see or printable(lesson.map.see) != lesson.map.see:
            raise ValueError(f"map: {lesson.map.see!r} is no line of text")
    roles = [experiment.role for experiment in lesson.experiments]
    if len(set(roles)) < len(roles):
        raise ValueError(f"experiments: {', '.join(roles)} are not allowed; allowed: roles that differ")
    for trial in lesson.trials:
        if trial.check is not None and trial.check.problem:
            raise ValueError(f"trials: {trial.do!r} is not allowed ({trial.check.problem})")
    # One that belongs to no experiment says itself what is to be trained.
    own = [trial for trial in lesson.trials if trial.role or "model" not in trial.given]
    if unknown := [trial.role or "no role and no model" for trial in own if trial.role not in roles]:
        raise ValueError(f"trials: {', '.join(unknown)} are not allowed; allowed: roles of the experiments")

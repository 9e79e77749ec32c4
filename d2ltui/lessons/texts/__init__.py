"""What lessons say, a file for each, apart from what they do: `en/NAME.toml`, and in other languages `zh/NAME.toml`.

A translation has what is translated, and takes the rest from the English file: what a lesson trains and checks, and
formulas without words.

title, section, claim, see   one line each; `see` is what there will be to see
text                         paragraphs; one whose lines begin with four spaces is code
formula, example             lines of at most 50 columns, as they are to be shown
[[try]]                      two or three: `do` and `expect`, a sentence each, with the experiment's `role` and what is
                             `given`; and as `check`, what the tool is to find in such a run (see `trial.Check`):
    check = { figure = "val_metric", at_least = 0.9 }                   after the last epoch
    check = { figure = "val_metric", falls_by = 0.05, usual = 0.97 }    compared with the experiment, which has 0.97
    check = { status = "diverged" }, { finding = "dead-relu" }, { without = "dead-relu", status = "finished" }
                             Of a lesson that trains nothing the role is "", and `given` is the whole run.
[map]                        a map that shows the claim: the run that is `given`, the axes `x` and `y` as one types
                             them, the quantity to `show`, and in `see` a sentence about what there will be to see
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from d2ltui.lessons.lesson import Lesson
from d2ltui.lessons.lesson_map import LessonMap
from d2ltui.lessons.measured import Experiment, Measured
from d2ltui.lessons.trial import Trial
from d2ltui.spec.language import ENGLISH, language

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from d2ltui.lessons.bench import Bench

SAID = ("title", "section", "claim", "see", "text", "formula", "example")


class BookLesson(Lesson, frozen=True):
    """A lesson whose text is in a file for each language.

    What it says (`SAID`, `trials` and `map`) is looked up when it is asked for, in the language that is spoken then.
    """


def _says(key: str) -> property:
    return property(lambda lesson: read(lesson.name, language()).get(key, ""))


def book_lesson(name: str, *, measure: Callable[[Bench], Measured], experiments: tuple[Experiment, ...] = ()) -> Lesson:
    """The lesson called `name`, with its text from the files of that name."""
    said = {key: read(name).get(key, "") for key in SAID}
    trials, found = _trials(name, ENGLISH), _map(name, ENGLISH)
    return BookLesson(name=name, measure=measure, experiments=experiments, trials=trials, map=found, **said)


@cache
def _trials(name: str, spoken: str) -> tuple[Trial, ...]:
    return tuple(msgspec.convert(trial, Trial) for trial in read(name, spoken).get("try", ()))


@cache
def _map(name: str, spoken: str) -> LessonMap | None:
    found = read(name, spoken).get("map")
    return msgspec.convert(found, LessonMap) if found is not None else None


@cache
def read(name: str, spoken: str = ENGLISH) -> dict[str, Any]:
    """What the file says; what is not translated is English."""
    found = _file(name, ENGLISH)
    if spoken == ENGLISH:
        return found
    own = _file(name, spoken)
    tries = [{**trial, **said} for trial, said in zip(found.get("try", ()), own.pop("try", ()), strict=True)]
    if "map" in found:
        own["map"] = {**found["map"], **own.get("map", {})}
    return {**found, **own, "try": tries}


def _file(name: str, spoken: str) -> dict[str, Any]:
    try:
        found = tomllib.loads(files(__package__).joinpath(spoken).joinpath(f"{name}.toml").read_text("utf-8"))
    except FileNotFoundError:
        if spoken == ENGLISH:
            raise
        return {"try": [{}] * len(_file(name, ENGLISH).get("try", ()))}
    return {key: value.rstrip("\n") if isinstance(value, str) else value for key, value in found.items()}


_LOOKED_UP = {
    **{key: _says(key) for key in SAID},
    "trials": property(lambda lesson: _trials(lesson.name, language())),
    "map": property(lambda lesson: _map(lesson.name, language())),
}
for _name, _property in _LOOKED_UP.items():
    setattr(BookLesson, _name, _property)

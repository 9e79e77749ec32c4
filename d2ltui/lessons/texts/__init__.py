"""What lessons say, a file for each, apart from what they do: `en/NAME.toml`.

title, section, claim, see   one line each; `see` is what there will be to see
text                         paragraphs; one whose lines begin with four spaces is code
formula, example             lines of at most 50 characters, as they are to be shown
[[try]]                      two or three: `do` and `expect`, a sentence each, with the experiment's `role` and what is
                             `given`; and as `check`, what the tool is to find in such a run (see `trial.Check`):
    check = { figure = "val_metric", at_least = 0.9 }                   after the last epoch
    check = { figure = "val_metric", falls_by = 0.05, usual = 0.97 }    compared with the experiment, which has 0.97
    check = { status = "diverged" }, { finding = "dead-relu" }, { without = "dead-relu", status = "finished" }
                             Of a lesson that trains nothing the role is "", and `given` is the whole run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from d2ltui.lessons.lesson import Lesson
from d2ltui.lessons.measured import Experiment, Measured
from d2ltui.lessons.trial import Trial

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from d2ltui.lessons.bench import Bench

LANGUAGE = "en"


def book_lesson(name: str, *, measure: Callable[[Bench], Measured], experiments: tuple[Experiment, ...] = ()) -> Lesson:
    """The lesson called `name`, with its text from the file of that name."""
    text = dict(read(name))
    trials = tuple(msgspec.convert(trial, Trial) for trial in text.pop("try", ()))
    return Lesson(name=name, measure=measure, experiments=experiments, trials=trials, **text)


@cache
def read(name: str, language: str = LANGUAGE) -> dict[str, Any]:
    """What the file says."""
    found = tomllib.loads(files(__package__).joinpath(language).joinpath(f"{name}.toml").read_text("utf-8"))
    return {key: value.rstrip("\n") if isinstance(value, str) else value for key, value in found.items()}

"""How far a person has come with the lessons: what was seen, what was tried, and what is next.

It is kept in `D2LTUI_HOME/lessons.json`, over sessions: the runs that tell of it may be deleted.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from d2ltui.spec.files import read_regular
from d2ltui.spec.language import _
from d2ltui.store import home
from d2ltui.store.errors import StoreError, reason
from d2ltui.store.filelock import locked

if TYPE_CHECKING:
    from d2ltui.lessons.lesson import Lesson
    from d2ltui.lessons.trial import StoredRuns, Tried

FILE, LOCK = "lessons.json", "lessons.lock"
MAX_BYTES = 2**20
_changing = threading.Lock()  # held from reading the file to writing it: a lesson may end while a screen looks up


class LessonProgress(msgspec.Struct, frozen=True):
    """One lesson: when its experiments were last seen to their end, whether its claim held, and what was tried.

    `tried` has, by `key_of`, whether it came as expected.
    """

    seen: float | None = None  # Unix time
    holds: bool | None = None
    tried: dict[str, bool] = {}


class Progress(msgspec.Struct, frozen=True):
    """All lessons, by name."""

    lessons: dict[str, LessonProgress] = {}

    def of(self, lesson: Lesson) -> LessonProgress:
        """That of `lesson`."""
        return self.lessons.get(lesson.name, LessonProgress())

    def tried(self, lesson: Lesson) -> int:
        """How many of what the lesson proposes was tried."""
        known = self.of(lesson).tried
        return sum(key_of(lesson, number) in known for number in range(len(lesson.trials)))

    def following(self, lessons: Iterable[Lesson]) -> Lesson | None:
        """What is next: the first lesson that was not seen; then the first with something left to try; then none."""
        listed = list(lessons)
        unseen = (lesson for lesson in listed if self.of(lesson).seen is None)
        untried = (lesson for lesson in listed if self.tried(lesson) < len(lesson.trials))
        return next(unseen, None) or next(untried, None)

    def in_words(self, lessons: Iterable[Lesson]) -> str:
        """`3 of 25 lessons seen, 2 of 60 changes tried`."""
        listed = list(lessons)
        seen = sum(self.of(lesson).seen is not None for lesson in listed)
        tried, trials = sum(map(self.tried, listed)), sum(len(lesson.trials) for lesson in listed)
        return _("{seen} of {lessons} lessons seen, {tried} of {trials} changes tried").format(
            seen=seen, lessons=len(listed), tried=tried, trials=trials
        )


def key_of(lesson: Lesson, number: int) -> str:
    """What the trial with that number, from 0, is called in the file: whatever else changes in its lesson."""
    from d2ltui.lessons.lesson import fields_in_english

    trial = lesson.trials[number]
    return f"{trial.role}: {fields_in_english(trial.given)}"


def read() -> Progress:
    """What is known; nothing where there is no file.

    Raises:
        StoreError: where it cannot be read.
    """
    path = home.home() / FILE
    try:
        return msgspec.json.decode(read_regular(path, MAX_BYTES), type=Progress)
    except FileNotFoundError:
        return Progress()
    except OSError as error:
        raise StoreError(
            _("lessons: {path} cannot be read ({reason})").format(path=path, reason=reason(error))
        ) from None
    except UnicodeDecodeError:
        why = _("it is not text in UTF-8")
    except RecursionError:
        why = _("it is nested too deeply")
    except msgspec.MsgspecError as error:
        why = str(error)
    raise StoreError(_("lessons: {path} cannot be read ({why}); deleted, it begins anew").format(path=path, why=why))


def note_seen(lesson: str, holds: bool) -> Progress:
    """The experiments of the lesson with that name were seen to their end; returns all that is known now.

    Raises:
        StoreError: where the file cannot be read or written.
    """
    with _changing, _ours(writes=True):
        known = read()
        before = known.lessons.get(lesson, LessonProgress())
        return _write(known, {lesson: msgspec.structs.replace(before, seen=time.time(), holds=holds)})


def look_up(
    lessons: Iterable[Lesson], runs: StoredRuns, *, writes: bool = True
) -> tuple[Progress, dict[str, list[Tried | None]]]:
    """Look up among `runs` what was tried; returns all that is known now, and by lesson what came of each trial.

    It is noted, too, unless `writes` is False.

    Raises:
        StoreError: where the file cannot be read or written.
    """
    new: dict[str, LessonProgress] = {}
    found = _tried(lessons, runs)
    with _changing, _ours(writes=writes):
        known = read()
        for lesson in lessons:
            before = known.of(lesson)
            tried = {key_of(lesson, i): t.as_expected for i, t in enumerate(found[lesson.name]) if t is not None}
            if before.tried | tried != before.tried:
                new[lesson.name] = msgspec.structs.replace(before, tried=before.tried | tried)
        return (_write(known, new, writes) if new else known), found


def look_up_or_tell(
    lessons: Sequence[Lesson], runs: StoredRuns, *, writes: bool
) -> tuple[Progress, dict[str, list[Tried | None]], str]:
    """As `look_up`, as far as that is possible; with what went wrong, in a sentence, or ""."""
    trouble = ""
    for notes in dict.fromkeys((writes, False)):  # what cannot be written can be read all the same
        try:
            return (*look_up(lessons, runs, writes=notes), trouble)
        except StoreError as error:
            trouble = trouble or str(error)
    return Progress(), _tried(lessons, runs), trouble


def _tried(lessons: Iterable[Lesson], runs: StoredRuns) -> dict[str, list[Tried | None]]:
    return {lesson.name: [runs.tried(lesson, trial) for trial in lesson.trials] for lesson in lessons}


@contextlib.contextmanager
def _ours(*, writes: bool) -> Iterator[None]:
    """From reading the file to writing it: another process that changes it waits, and finds what was changed here."""
    if not writes:
        yield
        return
    with locked(home.home() / LOCK):
        yield


def _write(known: Progress, new: Mapping[str, LessonProgress], writes: bool = True) -> Progress:
    progress = Progress({**known.lessons, **new})
    if not writes:
        return progress
    path = home.home() / FILE
    data = msgspec.json.format(msgspec.json.encode(progress))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        home.write_atomically(path, lambda file: file.write(data))
    except OSError as error:
        raise StoreError(
            _("lessons: {path} cannot be written ({reason})").format(path=path, reason=reason(error))
        ) from None
    return progress

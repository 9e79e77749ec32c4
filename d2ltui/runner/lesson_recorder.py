"""The runs of a lesson in the store: a group, which takes the place of the group of the last time.

    recorder = LessonRecorder("dropout")
    Bench(lesson, recorder=recorder).verdict()
    recorder.trouble        # what went wrong with storing, in a sentence, or ""

A run that is not what a RunConfig could describe, since the lesson brings its own data or loss, is stored by its header
alone: it can be looked at and compared, and nobody can take it for what its settings would train.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from d2ltui.engine.control import Control
from d2ltui.lessons.kept import FOLDER
from d2ltui.lessons.recorder import KIND, RecordedRun, group_of, stem_of
from d2ltui.runner.recording import RunRecording
from d2ltui.spec import events
from d2ltui.spec.header import header_of
from d2ltui.spec.language import _
from d2ltui.store import StoreError, home, listing
from d2ltui.store.filelock import Presence
from d2ltui.store.writer import CLOSE_TIMEOUT, StoreThread

if TYPE_CHECKING:
    from d2ltui.engine.checkpoint import Checkpoint, CheckpointSink

OPEN_TIMEOUT = 5.0  # seconds that a disk is waited for before the next run is trained
UNWRITTEN = 8  # runs that may still be on their way to the disk while the next one is trained


class _LastOnly:
    """Keeps the checkpoint of a run's end alone: nobody goes on with a run of a lesson."""

    idle = False  # there is no time for one before
    took = 0.0

    def __init__(self, recording: RunRecording) -> None:
        self._recording = recording

    def keep(self, checkpoint: Checkpoint) -> None:
        """Store it, unless nothing has been trained."""
        if checkpoint.step:
            self._recording.keep(checkpoint)


class LessonRecorder:
    """Stores one lesson's runs: see `lessons.recorder.RunRecorder`."""

    def __init__(self, lesson: str, on_trouble: Callable[[str], None] | None = None) -> None:
        self._lesson = lesson
        self._on_trouble = on_trouble
        self._open: deque[StoreThread] = deque()
        self._names: set[str] = set()
        self._hangs = False  # whether the disk has let a run wait too long: their order is lost then
        self._begun = 0  # runs, whether they can be stored or not
        self._replaced: set[str] = set()
        self._presence: Presence | None = None
        self.trouble = ""

    @property
    def stored(self) -> int:
        """How many runs are stored, once the lesson is over."""
        return len(self._names)

    def begin(self, run: RecordedRun, control: Control) -> tuple[events.Sink, CheckpointSink | None]:
        """A run begins."""
        self._begun += 1
        if self._presence is None:
            self._look_at_the_last_time()
        place: dict[str, object] = {"name": group_of(self._lesson), "kind": KIND, "index": run.number}
        place |= {"total": max(run.total, run.number), "role": run.role}
        stem = stem_of(self._lesson, run.label)
        if not run.changed:
            recording = RunRecording.new(run.config, control, group=place, stem=stem, on_trouble=self._say)
            self._open.append(recording.store)
            return recording.store, _LastOnly(recording)
        own = header_of(run.config)
        header = msgspec.structs.replace(
            own,
            params=own.params | run.changed,
            steps_per_epoch=run.steps_per_epoch,
            name=run.label,
            source=_("the lesson {lesson}").format(lesson=self._lesson),
        )
        store = StoreThread(header, group=place, stem=stem, on_trouble=self._say)
        self._open.append(store)

        def tell(event: events.Event) -> None:
            if not isinstance(event, events.RunStarted):  # it says what a RunConfig would train
                store(event)

        return tell, None

    def end(self) -> None:
        """The run is over: its store's thread writes what is left, while the next run is trained.

        Its directory is made before that one's: they are numbered as they were trained.
        """
        if self._open:
            if not self._hangs:
                self._open[-1].wait_opened(OPEN_TIMEOUT)
                self._hangs = not self._open[-1].opened
            self._open[-1].close(0.0)
        while len(self._open) > UNWRITTEN:
            self._finish()

    def close(self, *, finished: bool) -> None:
        """The lesson is over."""
        while self._open:
            self._finish()
        try:
            if finished and len(self._names) == self._begun:
                self._delete_earlier()
            elif self._names and not finished:
                self._delete_unfinished()
        except StoreError as error:
            self._say(str(error))
        finally:
            if self._presence is not None:
                self._presence.leave()
                self._presence = None

    @property
    def writes(self) -> bool:
        """Whether a run has begun of which not all may be written."""
        return bool(self._open)

    def _finish(self) -> None:
        store = self._open[0]
        store.close(CLOSE_TIMEOUT)
        self._open.popleft()
        if store.name is not None:
            self._names.add(store.name)

    def _look_at_the_last_time(self) -> None:
        """Note the runs whose place those of this time will take: none, while another process measures the lesson.

        Its runs are not ours to delete, whether they are written already or not.
        """
        try:
            self._presence = Presence(home.home() / FOLDER / f"{stem_of(self._lesson, '')}.lock")
            if self._presence.alone:
                group = group_of(self._lesson)
                self._replaced = {run.name for run in listing.runs() if run.group == group and not run.active}
        except StoreError as error:
            self._say(str(error))

    def _delete_earlier(self) -> None:
        """Delete the runs of the last time, whose place all of this time have taken.

        Those that somebody has given a name or a note stay.
        """
        stems = {_stem(name) for name in self._names}
        for run in listing.runs():
            untouched = not run.note and _stem(run.name) in {*stems, stem_of(self._lesson, run.role)}
            if run.group == group_of(self._lesson) and run.name in self._replaced and untouched and not run.active:
                with contextlib.suppress(StoreError):  # another process may hold it, or have deleted it
                    home.delete(run.name)

    def _delete_unfinished(self) -> None:
        """Of a lesson that was stopped, delete the run that was: in the group it would count among those that ended."""
        for run in listing.runs():
            if run.name in self._names and run.status == "stopped" and not run.note:
                with contextlib.suppress(StoreError):
                    home.delete(run.name)
                    self._names.discard(run.name)

    def _say(self, sentence: str) -> None:
        self.trouble = sentence
        if self._on_trouble is not None:
            self._on_trouble(sentence)


def _stem(name: str) -> str:
    """What comes before the number that the store has given a run; "" where it has none."""
    stem, __, number = name.rpartition("-")
    return stem if number.isdigit() else ""

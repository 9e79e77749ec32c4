"""Lessons' experiments in a thread of their own, one lesson after the other, for a screen that looks now and then."""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from typing import TYPE_CHECKING

from d2ltui.spec.language import _

if TYPE_CHECKING:
    from d2ltui.lessons.bench import Bench, BenchRun
    from d2ltui.lessons.lesson import Lesson
    from d2ltui.lessons.measured import Verdict
    from d2ltui.runner.lesson_recorder import LessonRecorder


def newest_of_each_role(runs: list[BenchRun]) -> dict[str, BenchRun]:
    """What is drawn: one run for each role, in the order in which the roles came."""
    return {run.role: run for run in runs}


class Measurement:
    """One lesson's experiments: the runs so far, and after their end what they say.

    At the end `verdict` is there, or `problem` says in one sentence why it is not, and `traceback` where that was a
    defect of ours. `began` is None while another lesson is measured before it.
    """

    def __init__(self, lesson: Lesson, bench: Bench, recorder: LessonRecorder | None) -> None:
        self.lesson, self.bench, self.recorder = lesson, bench, recorder
        self.began: float | None = None
        self.verdict: Verdict | None = None
        self.problem = ""
        self.traceback = ""
        self.trouble = ""  # what went wrong with storing it, in a sentence

    @property
    def runs(self) -> list[BenchRun]:
        """The runs so far; the last one may be in training. After the end, the newest of each role."""
        return list(self.bench.runs)

    @property
    def waits(self) -> bool:
        """Whether it has not begun."""
        return self.began is None and not self.problem

    def carry_out(self) -> None:
        """Measure, and judge. Raises nothing: it is called at the bottom of a thread."""
        from d2ltui.lessons.measured import LessonCancelled, LessonError

        self.began = time.monotonic()
        try:
            self.verdict = self.bench.verdict()
        except LessonCancelled:
            self.problem = _("stopped by you")
        except LessonError as error:
            self.problem = str(error)
        except Exception as error:  # above a thread there is nobody who would hear of it
            self.traceback = traceback.format_exc()  # before the sentence, which says that it is there
            self.problem = f"{type(error).__name__}: {error}"
        # What is kept for as long as the application is open is what is drawn.
        self.bench.runs[:] = newest_of_each_role(self.bench.runs).values()
        if self.recorder is not None:
            self.trouble = self.recorder.trouble
            if self.verdict is not None:
                self._note(self.verdict)

    def _note(self, verdict: Verdict) -> None:
        """That it was seen, and what."""
        from d2ltui.lessons.kept import keep
        from d2ltui.lessons.progress import note_seen
        from d2ltui.store.defects import in_words, keep_traceback
        from d2ltui.store.errors import StoreError

        try:
            note_seen(self.lesson.name, verdict.holds)
            keep(verdict, self.bench.picture, self.bench.drawn_in_words)
        except StoreError as error:
            self.trouble = self.trouble or str(error)
        except Exception as error:  # another package's lesson may have found what cannot be written
            why = f"{in_words(error)}; {keep_traceback(error)}"
            self.trouble = self.trouble or _("not kept: {error}").format(error=why)


class LessonRunner:
    """Carries out measurements one after the other, and keeps each lesson's last one. Nothing waits but `join`.

    `opened` is the lesson that was looked at last; with `store` runs are stored, and what was seen is noted.
    """

    def __init__(self, store: bool = True) -> None:
        self.opened: Lesson | None = None
        self.chosen: int | None = None  # the change of that lesson that was put into the form last
        self.stores = store
        self._kept: dict[str, Measurement] = {}
        self._lock = threading.Lock()  # held for moments: over what waits, and whether the thread takes more of it
        self._waiting: deque[Measurement] = deque()
        self._present: Measurement | None = None
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a measurement goes on, or waits for one."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def measured(self) -> Lesson | None:
        """The lesson that is being measured."""
        present = self._present
        return present.lesson if present is not None else None

    @property
    def waiting(self) -> int:
        """How many lessons have their turn after it."""
        return sum(measurement is not self._present for measurement in tuple(self._waiting))

    @property
    def verdicts(self) -> list[Verdict]:
        """What has been measured, in the order in which it was begun."""
        # `recorder` has closed by then, and what was seen is noted: the measurement is no longer the present one.
        ended = [measurement for measurement in list(self._kept.values()) if measurement is not self._present]
        return [measurement.verdict for measurement in ended if measurement.verdict is not None]

    @property
    def troubles(self) -> set[str]:
        """What went wrong with storing, in sentences."""
        return {measurement.trouble for measurement in list(self._kept.values()) if measurement.trouble}

    def of(self, lesson: Lesson) -> Measurement | None:
        """The last measurement of `lesson`; None where there is none."""
        return self._kept.get(lesson.name)

    def measures(self, lesson: Lesson) -> bool:
        """Whether `lesson` is being measured, or waits for its turn."""
        measurement = self.of(lesson)
        return self.busy and measurement is not None and (measurement is self._present or measurement in self._waiting)

    def start(self, lesson: Lesson, data_dir: str | None) -> None:
        """Measure `lesson`, once those that were begun before are over. Not where it is being measured already."""
        if self.measures(lesson):
            raise RuntimeError(f"{lesson.name} is being measured already")
        from d2ltui.lessons.bench import Bench
        from d2ltui.runner.lesson_recorder import LessonRecorder

        recorder = LessonRecorder(lesson.name) if self.stores else None
        bench = Bench(lesson, data_dir=data_dir, recorder=recorder)
        measurement = self._kept[lesson.name] = Measurement(lesson, bench, recorder)
        with self._lock:
            self._waiting.append(measurement)
            if self._present is None:
                before = self._thread
                self._thread = threading.Thread(target=self._main, args=(before,), name="d2ltui-lesson", daemon=True)
                self._present = measurement
                self._thread.start()

    @property
    def under_way(self) -> Bench | None:
        """What is being measured; None where nothing is."""
        present = self._present
        return present.bench if present is not None else None

    def _main(self, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()  # it takes nothing more, and is about to end
        while True:
            with self._lock:
                if not self._waiting:
                    self._present = None
                    return
                self._present = self._waiting.popleft()
            self._present.carry_out()

    def stop(self, lesson: Lesson | None = None) -> None:
        """End what is measured after its current step, and all that waits; or only `lesson`, where it waits."""
        with self._lock:
            waiting = self.of(lesson) if lesson is not None else None
            ended = [waiting] if waiting is not None and waiting in self._waiting else list(self._waiting)
            for measurement in ended:
                self._waiting.remove(measurement)
                measurement.problem = _("stopped by you")
            if self._present is not None and waiting not in ended:
                self._present.bench.stop()

    @property
    def owes_the_store(self) -> bool:
        """Whether runs would be left behind as interrupted ones, by whoever gives up now: `join` first."""
        present = self._present
        return self.busy and present is not None and present.recorder is not None and present.recorder.writes

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; False where it has not within `timeout` seconds."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

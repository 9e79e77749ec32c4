"""A lesson's experiments in a thread of their own, for a screen that looks at them now and then."""

from __future__ import annotations

import threading
import time
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d2ltui.lessons.bench import Bench, BenchRun
    from d2ltui.lessons.lesson import Lesson
    from d2ltui.lessons.measured import Verdict


def newest_of_each_role(runs: list[BenchRun]) -> dict[str, BenchRun]:
    """What is drawn: one run for each role, in the order in which the roles came."""
    return {run.role: run for run in runs}


class Measurement:
    """One lesson's experiments: the runs so far, and after their end what they say.

    At the end `verdict` is there, or `problem` says in one sentence why it is not, and `traceback` where that was a
    defect of ours.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.began = time.monotonic()
        self.verdict: Verdict | None = None
        self.problem = ""
        self.traceback = ""

    @property
    def runs(self) -> list[BenchRun]:
        """The runs so far; the last one may be in training. After the end, the newest of each role."""
        return list(self.bench.runs)

    def carry_out(self) -> None:
        """Measure, and judge. Raises nothing: it is called at the bottom of a thread."""
        from d2ltui.lessons.measured import LessonCancelled, LessonError

        try:
            self.verdict = self.bench.verdict()
        except LessonCancelled:
            self.problem = "stopped by you"
        except LessonError as error:
            self.problem = str(error)
        except Exception as error:  # above a thread there is nobody who would hear of it
            self.traceback = traceback.format_exc()  # before the sentence, which says that it is there
            self.problem = f"{type(error).__name__}: {error}"
        # What is kept for as long as the application is open is what is drawn.
        self.bench.runs[:] = newest_of_each_role(self.bench.runs).values()


class LessonRunner:
    """Carries out one measurement at a time, and keeps each lesson's last one. All methods return at once but `join`.

    `opened` is the lesson that was looked at last.
    """

    def __init__(self) -> None:
        self.opened: Lesson | None = None
        self._last: Measurement | None = None
        self._kept: dict[str, Measurement] = {}
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a measurement goes on."""
        return self._thread is not None and self._thread.is_alive()

    def of(self, lesson: Lesson) -> Measurement | None:
        """The last measurement of `lesson`; None where there is none."""
        return self._kept.get(lesson.name)

    def measures(self, lesson: Lesson) -> bool:
        """Whether `lesson` is being measured."""
        return self.busy and self._last is not None and self._last is self.of(lesson)

    def start(self, lesson: Lesson, data_dir: str | None) -> None:
        """Begin to measure `lesson`. Only where none is measured."""
        if self.busy:
            raise RuntimeError("a lesson is being measured already")
        from d2ltui.lessons.bench import Bench

        self._last = self._kept[lesson.name] = Measurement(Bench(lesson, data_dir=data_dir))
        self._thread = threading.Thread(target=self._last.carry_out, name="d2ltui-lesson", daemon=True)
        self._thread.start()

    @property
    def under_way(self) -> Bench | None:
        """What is being measured; None where nothing is."""
        return self._last.bench if self._last is not None and self.busy else None

    def stop(self) -> None:
        """End it after the current step."""
        if self._last is not None and self.busy:
            self._last.bench.stop()

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; False where it has not within `timeout` seconds."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

"""A lesson's experiments in a thread of their own, for a screen that looks at them now and then."""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d2ltui.lessons.bench import Bench, BenchRun
    from d2ltui.lessons.lesson import Lesson, Verdict


class Measuring:
    """Owns at most one measurement. All methods return at once, except `join`.

    After the end, `verdict` is there, or `problem` says in one sentence why it is not, and
    `traceback` where that was a defect of ours.
    """

    def __init__(self) -> None:
        self.lesson: Lesson | None = None
        self.verdict: Verdict | None = None
        self.problem = ""
        self.traceback = ""
        self._bench: Bench | None = None
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether a measurement goes on."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def runs(self) -> list[BenchRun]:
        """The runs so far; the last one may be in training."""
        return list(self._bench.runs) if self._bench is not None else []

    def start(self, lesson: Lesson, data_dir: str | None) -> None:
        """Begin to measure `lesson`. Only where none is measured."""
        if self.busy:
            raise RuntimeError("a lesson is being measured already")
        from d2ltui.lessons.bench import Bench

        bench = Bench(lesson, data_dir=data_dir)
        self.lesson, self.verdict, self.problem, self.traceback, self._bench = lesson, None, "", "", bench
        self._thread = threading.Thread(target=self._measure, args=(bench,), name="d2ltui-lesson", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it after the current step."""
        if self._bench is not None and self.busy:
            self._bench.stop()

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; False where it has not within `timeout` seconds."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _measure(self, bench: Bench) -> None:
        from d2ltui.lessons.lesson import LessonCancelled, LessonError

        try:
            self.verdict = bench.verdict()
        except LessonCancelled:
            self.problem = "stopped by you"
        except LessonError as error:
            self.problem = str(error)
        except Exception as error:  # above a thread there is nobody who would hear of it
            self.traceback = traceback.format_exc()  # before the sentence, which says that it is there
            self.problem = f"{type(error).__name__}: {error}"

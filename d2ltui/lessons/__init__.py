"""Lessons: claims of the book, each with the experiments that test it.

For an interface (nothing of this imports PyTorch):
    `LESSONS`, name → `Lesson`: title, section, claim, formula, text, experiments (role, fields of its RunConfig).

To measure (in a thread of its own; PyTorch is imported by the first run):
    bench = Bench(LESSONS["vanishing"], seeds=3, on_run=...)
    verdict = bench.verdict()     # figures with their bands, whether all hold, a comment
    bench.runs                    # grows: each run's role, seed and LiveRun, to draw their curves together
    bench.stop()                  # from any thread: `verdict` raises LessonCancelled after the current step

A lesson is a file in `book/`, which holds its experiments and its measurement, and a file in `texts/en/`.
"""

from __future__ import annotations

from d2ltui.lessons.bench import SEEDS, Bench, BenchRun
from d2ltui.lessons.book import lessons_of_the_book
from d2ltui.lessons.lesson import Lesson, check_lesson
from d2ltui.lessons.measured import Experiment, Figure, LessonCancelled, LessonError, Verdict
from d2ltui.lessons.trial import Check, Trial
from d2ltui.spec.registry import Registry

__all__ = [
    "LESSONS",
    "SEEDS",
    "Bench",
    "BenchRun",
    "Check",
    "Experiment",
    "Figure",
    "Lesson",
    "LessonCancelled",
    "LessonError",
    "Trial",
    "Verdict",
]

# In the order of the book; then those of other packages.
LESSONS: Registry[Lesson] = Registry("d2ltui.lessons", Lesson, check_lesson)
for _lesson in lessons_of_the_book():
    LESSONS.register(_lesson)

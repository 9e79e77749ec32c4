"""Lessons: claims of the book, each with the experiments that test it.

For an interface (nothing of this imports PyTorch):
    `LESSONS`, name → `Lesson`: title, section, claim, formula, text, experiments (role, fields of its RunConfig).

To measure (in a thread of its own; PyTorch is imported by the first run):
    bench = Bench(LESSONS["vanishing"], seeds=3, on_run=...)
    verdict = bench.verdict()     # figures with their bands, whether all hold, a comment
    bench.runs                    # grows: each run's role, seed and LiveRun, to draw their curves together
    bench.stop()                  # from any thread: `verdict` raises LessonCancelled after the current step
"""

from __future__ import annotations

from d2ltui.lessons import activations, basics, generalisation, gradients, outputs, relus
from d2ltui.lessons.bench import SEEDS, Bench, BenchRun
from d2ltui.lessons.lesson import Lesson, check_lesson
from d2ltui.lessons.measured import Experiment, Figure, LessonCancelled, LessonError, Verdict
from d2ltui.spec.registry import Registry

__all__ = [
    "LESSONS",
    "SEEDS",
    "Bench",
    "BenchRun",
    "Experiment",
    "Figure",
    "Lesson",
    "LessonCancelled",
    "LessonError",
    "Verdict",
]

# In the order of the book; then those of other packages.
LESSONS: Registry[Lesson] = Registry("d2ltui.lessons", Lesson, check_lesson)
for _group in (basics, outputs, activations, gradients, relus, generalisation):
    for _lesson in _group.LESSONS:
        LESSONS.register(_lesson)

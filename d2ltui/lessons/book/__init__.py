"""The lessons of the book, a file each: `LESSON` in every module here."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from d2ltui.lessons.lesson import Lesson


def lessons_of_the_book() -> list[Lesson]:
    """All of them, in the order of their sections."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    lessons: list[Lesson] = [module.LESSON for module in modules]
    return sorted(lessons, key=lambda lesson: (lesson.place, lesson.name))

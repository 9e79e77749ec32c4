"""Lessons that are measured one after the other."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from d2ltui.lessons import Bench, Lesson
from d2ltui.lessons.measured import Experiment, Measured, figure
from d2ltui.store.listing import runs
from d2ltui.tui.run import _finish_run
from d2ltui.tui.services.lesson_runner import LessonRunner
from d2ltui.tui.signals import AppSignals

if TYPE_CHECKING:
    from d2ltui.tui.app import D2LApp

SECONDS = 30


class Gate:
    """A lesson that begins, and ends when it may."""

    def __init__(self, name: str) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()
        self.lesson = Lesson(name, f"Lesson {name}", "0", "It ends.", "", "", self._measure)

    def _measure(self, bench: Bench) -> Measured:
        self.began.set()
        while not self.may_end.wait(0.01):
            bench.go_on()
        return Measured([], "It has.")


def test_lessons_have_their_turn_one_after_the_other() -> None:
    runner = LessonRunner(store=False)
    gates = [Gate(name) for name in "abc"]
    for gate in gates:
        runner.start(gate.lesson, None)
    for index, gate in enumerate(gates):
        assert gate.began.wait(SECONDS)
        assert runner.measured is gate.lesson
        assert runner.waiting == 2 - index
        assert [runner.measures(other.lesson) for other in gates] == [False] * index + [True] * (3 - index)
        assert not any(other.began.is_set() for other in gates[index + 1 :])
        waits = [measurement.waits for other in gates if (measurement := runner.of(other.lesson)) is not None]
        assert waits == [False] * (index + 1) + [True] * (2 - index)
        gate.may_end.set()
    assert runner.join(SECONDS)
    ended = [runner.of(gate.lesson) for gate in gates]
    assert all(measurement is not None and measurement.verdict is not None for measurement in ended)
    # And another time: what has been measured is measured anew.
    again = runner.of(gates[0].lesson)
    runner.start(gates[0].lesson, None)
    assert runner.join(SECONDS)
    assert runner.of(gates[0].lesson) is not again


def test_one_that_waits_can_be_taken_back_and_all_can_be_stopped() -> None:
    runner = LessonRunner(store=False)
    first, second, third = gates = [Gate(name) for name in "abc"]
    for gate in gates:
        runner.start(gate.lesson, None)
    assert first.began.wait(SECONDS)
    runner.stop(second.lesson)
    assert (runner.measures(first.lesson), runner.measures(second.lesson), runner.measures(third.lesson)) == (
        True,
        False,
        True,
    )
    runner.stop(first.lesson)
    assert runner.join(SECONDS)
    problems = [measurement.problem for gate in gates if (measurement := runner.of(gate.lesson)) is not None]
    assert problems == ["stopped by you"] * 3
    assert not second.began.is_set()
    assert not third.began.is_set()
    runner.stop()  # where there is nothing, nothing happens


class Ends:
    """What is left of an application that is about to end."""

    hung_up = owes_the_store = False
    live = None
    maps = SimpleNamespace(join=lambda timeout: True)  # none is trained

    def __init__(self, measuring: LessonRunner) -> None:
        self.measuring = measuring

    def stop_run(self) -> None:
        self.measuring.stop()

    def join(self, timeout: float) -> bool:
        return True


def test_a_lesson_that_the_end_of_the_application_stops_leaves_no_unfinished_run() -> None:
    def train(bench: Bench) -> Measured:
        bench.train("long")
        raise AssertionError("nobody trains so long")

    import d2ltui.engine.trainer  # noqa: F401  # on a busy machine that alone takes longer than anything here

    given = {"model": "linear", "epochs": 1_000_000, "device": "cpu", "threads": 1}
    runner = LessonRunner(store=True)
    runner.start(Lesson("long", "Long", "0", "It ends.", "", "", train, (Experiment("long", given),)), None)
    deadline = time.monotonic() + SECONDS
    while not any(run.status == "training" for run in runs()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    _finish_run(cast("D2LApp", Ends(runner)), AppSignals())
    assert runner.join(SECONDS)
    assert not runs()


def test_a_verdict_that_cannot_be_written_is_told_of_and_the_next_lesson_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def odd(*_: object) -> None:
        raise TypeError("Encoding objects of type Odd is unsupported")

    monkeypatch.setattr("d2ltui.lessons.kept.keep", odd)
    runner = LessonRunner(store=True)
    first, second = (Lesson(name, name, "0", "It is.", "", "", lambda bench: Measured([], "")) for name in "ab")
    for lesson in (first, second):
        runner.start(lesson, None)
    assert runner.join(SECONDS)
    for lesson in (first, second):
        measurement = runner.of(lesson)
        assert measurement is not None
        assert measurement.verdict is not None
        assert measurement.trouble.startswith("not kept: TypeError: Encoding objects")
    assert runner.measured is None


def test_bounds_of_a_figure_are_plain_numbers() -> None:
    found = figure("a", np.float32(1.0), np.float32(0.5), np.float64(2.0))
    assert (type(found.value), type(found.low), type(found.high)) == (float, float, float)

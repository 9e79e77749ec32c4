"""What is tried before a run, in a thread: its end, its failures, and that no run overlaps with it."""

from __future__ import annotations

import threading

import pytest

from d2ltui.engine import checkup, range_test, workbench
from d2ltui.engine.control import Control
from d2ltui.engine.workbench import Workbench
from d2ltui.runner.preflight import Attempt, Preflight
from d2ltui.runner.worker import Worker
from d2ltui.spec.config import resolve

PATIENCE = 30.0
SMALL = {"dataset": "moons", "hidden": "8", "device": "cpu", "threads": 1, "epochs": 1}


def test_a_check_and_a_range_test_say_what_the_commands_say() -> None:
    config = resolve({**SMALL, "init": "zeros"})
    attempt = Attempt(config, "check")
    attempt.carry_out()
    bench = workbench.set_up(config, Control())
    assert attempt.checkup == checkup.check(bench)
    assert attempt.checkup is not None
    assert attempt.readings == attempt.checkup.readings
    assert attempt.ended
    config = resolve(SMALL)  # where no rate helps, all remedies are tried, too
    attempt = Attempt(config, "find-lr")
    attempt.carry_out()
    assert attempt.range_test == range_test.range_test(workbench.set_up(config, Control()))
    assert attempt.range_test is not None
    assert (attempt.doing, attempt.problem) == ("trying rates", "")


def test_what_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = Attempt(resolve({**SMALL, "dataset": "digits", "device": "cuda:77"}), "check")
    attempt.carry_out()
    assert attempt.problem.startswith("device: ")
    assert (attempt.checkup, attempt.traceback) == (None, "")

    def broken(*_: object) -> None:
        raise ArithmeticError("no luck")

    monkeypatch.setattr(checkup, "check", broken)
    attempt = Attempt(resolve(SMALL), "check")
    attempt.carry_out()
    assert attempt.problem == "ArithmeticError: no luck"
    assert "in broken" in attempt.traceback


def test_one_at_a_time_and_a_run_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    began, order = threading.Event(), list[str]()

    def slow(bench: Workbench, *_: object) -> None:
        order.append("begins")
        began.set()
        while not bench.control.stopping:
            bench.control.wait_while_paused(0.01)
        order.append("ends")
        bench.go_on()

    monkeypatch.setattr(checkup, "check", slow)
    preflight, worker = Preflight(), Worker()
    first = preflight.start(resolve(SMALL), "check")
    assert began.wait(PATIENCE)
    began.clear()
    second = preflight.start(resolve(SMALL), "check")
    assert began.wait(PATIENCE)
    assert order == ["begins", "ends", "begins"]
    assert (first.problem, second.problem) == ("stopped", "")
    live = worker.start(resolve(SMALL), after=preflight.thread)
    assert live.status == "loading"
    preflight.stop()
    assert worker.join(PATIENCE)
    assert order[-1] == "ends"
    assert (live.status, second.problem, preflight.thread) == ("finished", "stopped", None)

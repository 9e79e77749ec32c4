"""The clock of a run: what training takes, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from d2ltui.engine import clock as clock_module
from d2ltui.engine.clock import Clock

STOPPED = 3.0  # seconds; the clock counts a second of them at most

# Looks at the clock when it is told to, as between two steps; until then it waits, as inside a long one.
CHILD = """
from d2ltui.engine.clock import Clock
clock = Clock()
clock.start()
print("started", flush=True)
while input():
    print(clock.seconds, flush=True)
clock.stop()
print(clock.seconds, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="stopping a process is POSIX's")
def test_a_process_that_is_stopped_does_not_train() -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "started\n"
        began = time.monotonic()
        os.kill(child.pid, signal.SIGSTOP)
        time.sleep(STOPPED)
        os.kill(child.pid, signal.SIGCONT)
        child.stdin.write("look\n\n")
        child.stdin.close()
        shown = [float(line) for line in child.stdout]
        took = time.monotonic() - began
    finally:
        child.kill()
        child.wait()
    assert len(shown) == 2
    assert shown == sorted(shown)
    assert shown[-1] <= took - STOPPED + clock_module.BEAT


def test_a_step_that_takes_long_and_no_processor_time_is_training() -> None:
    clock = Clock()
    clock.start()
    time.sleep(2 * clock_module.LONGEST)  # nobody looks, as while a GPU computes
    clock.stop()
    assert clock.seconds >= 2 * clock_module.LONGEST - 0.01


def test_only_what_lies_between_start_and_stop_counts_and_no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = threading.active_count()
    now = 100.0
    monkeypatch.setattr(clock_module.time, "perf_counter", lambda: now)
    clock = Clock()
    assert clock.seconds == 0.0
    clock.set(5.0)
    for _ in range(2):
        clock.start()
        now += 0.5
        assert clock.seconds % 0.5 == 0.0
        clock.start()  # it goes already
        clock.stop()
        clock.stop()
        now += 1000.0
    assert clock.seconds == 6.0
    assert threading.active_count() == threads


def test_what_was_no_training_is_left_out_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(clock_module.time, "perf_counter", lambda: now)
    clock = Clock()
    clock.set(5.0)
    clock.start()
    now += 0.5
    with clock.left_out():
        now += 1000.0  # the process was stopped meanwhile, which has not been counted either
    clock.stop()
    assert clock.seconds == 5.5

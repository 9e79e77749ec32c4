"""Whether the process that trains a run still is there: known by what no clock that is set changes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from d2ltui.store import environment
from d2ltui.store.environment import is_alive, process

linux = pytest.mark.skipif(not environment._boot(), reason="the system has no name for its start")
ELSEWHERE = {"pid": os.getpid(), "host": "elsewhere", "started": 1.0}


@linux
@pytest.mark.parametrize("step", [-86_400.0, -61.0, 61.0, 86_400.0])
def test_a_clock_that_is_set_interrupts_nothing(monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    found, sign = process(), time.time()
    assert is_alive(found, sign)
    # A process's start is told as that of the system, by the clock of now, and so many ticks.
    create_time = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: create_time(process) + step)
    now = time.time
    monkeypatch.setattr(environment.time, "time", lambda: now() + step)
    assert is_alive(found, sign)


@linux
def test_another_process_with_its_number_is_another() -> None:
    found = process()
    assert not is_alive({**found, "ticks": int(str(found["ticks"])) + 1}, time.time())
    assert not is_alive({**found, "boot": "another start of the system"}, time.time())


def test_a_process_that_has_ended_is_not_alive() -> None:
    code = (
        "import json; from d2ltui.store.environment import process; print(json.dumps(process()), flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        import json

        found = json.loads(child.stdout.readline())
        assert is_alive(found, time.time())
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(found, time.time()), "a zombie"
    assert not is_alive(found, time.time())


def test_of_a_process_elsewhere_the_sign_of_life_counts_and_clocks_may_differ_by_a_minute() -> None:
    for apart in (-70.0, 0.0, 70.0):
        assert is_alive(ELSEWHERE, time.time() + apart)
    for apart in (-200.0, 200.0):
        assert not is_alive(ELSEWHERE, time.time() + apart)
    assert not is_alive(ELSEWHERE, None)


def test_what_older_versions_wrote_still_counts() -> None:
    found = {name: value for name, value in process().items() if name in ("pid", "host", "started")}
    assert is_alive(found, time.time())
    assert not is_alive({**found, "started": 1.0}, time.time())
    for wrong in (None, 1, {}, {"pid": "x"}, {**found, "pid": -1}, {**found, "pid": 10**30}):
        assert not is_alive(wrong, None)

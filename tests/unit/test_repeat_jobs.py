"""Runs that several processes train are those that one trains, each stored once, whatever becomes of them."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from d2ltui.store.listing import runs
from tests.commands import Command
from tests.processes.loky import workers

OPTIONS = ("--dataset", "circles", "--hidden", "8", "--batch-size", "200", "--device", "cpu", "--threads", "1")


def figures(found: dict[str, Any]) -> list[dict[str, Any]]:
    leaves = ("seconds", "steps_per_s", "run")
    return [{name: value for name, value in one.items() if name not in leaves} for one in found["runs"]]


@pytest.mark.long
def test_seeds_are_the_same_bit_for_bit_though_a_process_is_killed(command: Command) -> None:
    killed: list[int] = []

    def kill_one() -> None:
        """As soon as runs are stored that it trains."""
        deadline = time.monotonic() + 60
        while not killed and time.monotonic() < deadline:
            if any(run.status == "training" for run in runs()):
                killed.extend(one.pid for one in workers()[:1])
                for pid in killed:
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    arguments = ("train", "--seeds", "4", "--epochs", "300", "--json", *OPTIONS)
    killer = threading.Thread(target=kill_one)
    killer.start()
    status, out, err = command(*arguments, "--jobs", "2")
    killer.join()
    assert killed
    assert status == 0
    assert err.count("a process that trains has died") == 1
    assert "Traceback" not in err
    spread = json.loads(out.splitlines()[-1])
    assert [line.split()[0] for line in out.splitlines()[1:5]] == ["0", "1", "2", "3"]
    stored = runs()
    assert sorted(run.name for run in stored) == sorted(one["run"] for one in spread["runs"])
    assert {run.status for run in stored} == {"finished"}
    assert {run.group for run in stored} == {spread["group"]}
    alone = json.loads(command(*arguments, "--no-store")[1].splitlines()[-1])
    assert figures(spread) == figures(alone)
    assert not workers()


@pytest.mark.long
def test_a_stop_ends_all_and_keeps_what_is_there(command: Command) -> None:
    def stop() -> None:
        deadline = time.monotonic() + 60
        while not any(run.steps for run in runs()) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop)
    stopper.start()
    arguments = ("sweep", "--lr", "0.1,0.2", "--hidden", "8", "--hidden", "4", "--epochs", "100000", *OPTIONS[:2])
    status, out, err = command(*arguments, "--jobs", "2", "--device", "cpu", "--json")
    stopper.join()
    assert status == 128 + signal.SIGTERM
    found = json.loads(out.splitlines()[-1])
    assert found["runs"]
    assert {one["status"] for one in found["runs"]} == {"stopped"}
    assert {run.status for run in runs()} == {"stopped"}
    assert all((Path(run.path) / "checkpoint.pt").exists() for run in runs() if run.steps)
    assert "Traceback" not in err
    assert not workers()

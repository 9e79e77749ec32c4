"""Stored runs as a shell meets them: signals, a terminal that is gone, two processes at one run, kill -9."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import Terminal

from d2ltui.engine.checkpoint import read
from d2ltui.store import home
from d2ltui.store.listing import info
from d2ltui.store.named import find
from d2ltui.store.reader import RunReader
from tests import processes
from tests.selection import long_after

PATIENCE = 100.0  # seconds until a test gives up; nothing is measured by it
COMMAND = ("-m", "d2ltui")
RUN = ("train", "--dataset", "moons", "--hidden", "16", "--dropout", "0.2", "--optimizer", "adam", "--lr", "0.001")
LONG = (*RUN, "--epochs", "20", "--device", "cpu")  # seconds, where it does not hurry
ENDLESS = (*RUN, "--epochs", "1000000", "--device", "cpu")


def d2ltui(*arguments: str) -> subprocess.CompletedProcess[str]:
    return processes.run([*COMMAND, *arguments], PATIENCE)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that wait for each other make tiny networks a hundred times slower where others compute, too."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that do not outlive the test."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def training(started: list[subprocess.Popen[str]], *arguments: str) -> tuple[subprocess.Popen[str], Path]:
    """A process that has ended its second epoch, and its run's directory."""
    command = [*processes.UNHURRIED, *arguments]
    process = processes.start(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    started.append(process)
    assert process.stdout is not None
    for _ in range(3):
        assert process.stdout.readline()
    return process, find("latest")


def wait_for(path: Path, *statuses: str) -> str:
    end = time.monotonic() + PATIENCE
    while (status := info(path).status) not in statuses:
        assert time.monotonic() < end, f"{status}, and not {statuses}"
        time.sleep(0.1)
    return status


def test_sigterm_and_resume_end_where_the_uninterrupted_run_does(started: list[subprocess.Popen[str]]) -> None:
    process, path = training(started, *LONG)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    assert info(path).status == "stopped"
    steps = info(path).steps
    row = info(path)
    assert row.config is not None
    assert read(path / home.CHECKPOINT, row.config).step == steps  # its epochs are far shorter than a second
    resumed = d2ltui("train", "--resume", path.name, "--json", "--quiet")
    whole = d2ltui(*LONG, "--json", "--quiet", "--no-store")
    found, expected = (json.loads(done.stdout) for done in (resumed, whole))
    assert 0 < steps < expected["steps"]
    for name in ("status", "epochs", "steps", "val_loss", "val_accuracy"):
        assert found[name] == expected[name], name
    with RunReader(path) as reader:
        assert len(reader.live.losses) == expected["steps"]


def test_one_process_at_one_run(started: list[subprocess.Popen[str]]) -> None:
    process, path = training(started, *ENDLESS)
    second = d2ltui("train", "--resume", path.name)
    assert second.returncode == 1
    assert second.stderr == f"d2ltui: run: {path.name} is in use by another process; stop it there first\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert wait_for(path, "interrupted") == "interrupted"
    _, again = training(started, "train", "--resume", path.name)
    assert again == path
    assert wait_for(path, "training") == "training"


@pytest.mark.parametrize("choice", ["continue", "stop"])
def test_a_terminal_that_is_gone(choice: str) -> None:
    run = LONG if choice == "continue" else ENDLESS  # what is to be stopped must not be over before
    terminal = Terminal([sys.executable, *processes.UNHURRIED, *run, "--on-hangup", choice], warm=True)
    later = re.compile(rb"epoch ([2-9]|\d\d+)/")  # the bar need not show each epoch: they are short
    terminal.until(lambda: later.search(terminal.raw) is not None, "an epoch after the first")
    path = find("latest")
    terminal.vanish()  # the kernel sends SIGHUP to whom it belongs
    with RunReader(path) as reader:
        end = time.monotonic() + PATIENCE
        while reader.live.ended is None:
            assert time.monotonic() < end
            time.sleep(0.1)
            reader.poll()
        assert reader.live.status == ("finished" if choice == "continue" else "stopped")
        assert reader.live.step > 0
        total = reader.live.config.total_steps
        assert (len(reader.live.losses) == total) == (choice == "continue")
    assert terminal.process.wait(PATIENCE) == (0 if choice == "continue" else 129)
    terminal.close()
    assert (path / home.CHECKPOINT).exists()
    assert info(path).resumable == (choice == "stop")


def test_a_hang_up_that_is_to_stop_stops_also_what_still_loads(started: list[subprocess.Popen[str]]) -> None:
    command = [sys.executable, *COMMAND, *ENDLESS, "--on-hangup", "stop", "--json"]  # it is to import PyTorch
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    started.append(process)
    assert process.stderr is not None
    while "the run is stored as" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, json.loads(out.splitlines()[-1])["status"]) == (129, "stopped")
    assert info(find("latest")).status == "stopped"


@pytest.mark.parametrize("kills", long_after(1, [1, 3]))
def test_a_killed_run_goes_on_to_the_same_weights(kills: int) -> None:
    """A few of the moments that `python -m tests.benchmarks.store kills` tries."""
    done = processes.run(
        ["-m", "tests.benchmarks.store", "kills", str(kills), "0", "50"], PATIENCE, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["kills"], found["same"]) == (kills, kills)

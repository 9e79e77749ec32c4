"""The terminal has gone and a run or a map continues: also a paused one, also after a second hang-up, until SIGTERM."""

from __future__ import annotations

import os
import signal
import time

import pytest
from terminal import PATIENCE, Terminal, application

from d2ltui.store.listing import runs
from d2ltui.store.map_reader import MapRows

LONG = ("--dataset", "moons", "--epochs", "30", "--start")  # seconds, where it does not hurry
ENDLESS = ("--dataset", "moons", "--epochs", "1000000", "--start")


def without_terminal(terminal: Terminal) -> None:
    """Wait until there is no interface any more, and only the run is waited for."""
    deadline = time.monotonic() + PATIENCE
    while os.readlink(f"/proc/{terminal.pid}/fd/0") != os.devnull:
        assert time.monotonic() < deadline, "the interface is still there"
        time.sleep(0.05)


def test_a_run_that_waits_for_a_key_goes_on_to_its_end() -> None:
    with application(*LONG, unhurried=True) as terminal:
        terminal.wait("▶ training")
        terminal.press(" ")
        terminal.wait("paused")
        terminal.press("s")  # it may wait already, or be in the middle of that step
        terminal.vanish()
        assert terminal.process.wait(PATIENCE) == 0
    (run,) = runs()
    assert (run.status, run.epochs) == ("finished", 30)


@pytest.mark.parametrize(("epochs", "status", "then"), [("2", 0, "finished"), ("100000", 143, "stopped")])
def test_a_map_goes_on_to_its_end_or_until_sigterm(epochs: str, status: int, then: str) -> None:
    """A paused one, too: nobody is left who could end the pause."""
    with application("--dataset", "circles", "--hidden", "4", "--batch-size", "400", "--epochs", epochs) as terminal:
        terminal.wait("ctrl+r")
        terminal.press("M")
        terminal.wait("trains a network for each cell")
        terminal.send("\x12 ")
        terminal.wait("map-1: paused")
        terminal.vanish()
        if status == 143:
            without_terminal(terminal)
            terminal.signal(signal.SIGTERM)
        assert terminal.process.wait(PATIENCE) == status
    (row,) = MapRows().read()
    assert row.status == then
    assert row.of_map is not None
    assert (row.of_map.done == row.of_map.total) == (then == "finished")


def test_hang_ups_that_follow_do_no_harm_and_sigterm_has_its_status() -> None:
    with application(*ENDLESS, unhurried=True) as terminal:
        terminal.wait("▶ training")
        for _ in range(400):  # while the application leaves
            terminal.signal(signal.SIGHUP)
            time.sleep(0.002)
        terminal.vanish()
        without_terminal(terminal)
        terminal.signal(signal.SIGHUP)
        terminal.signal(signal.SIGTERM)
        assert terminal.process.wait(PATIENCE) == 143
    assert [run.status for run in runs()] == ["stopped"]


@pytest.mark.parametrize("how", ["signal", "vanish"])
def test_a_hang_up_that_is_to_stop_stops_also_what_still_loads(how: str) -> None:
    with application(*ENDLESS, "--on-hangup", "stop", cold=True) as terminal:
        terminal.wait("… loading")
        if how == "signal":
            terminal.signal(signal.SIGHUP)
            assert terminal.ended() == 129
        else:
            terminal.vanish()
            assert terminal.process.wait(PATIENCE) == 129
    (run,) = runs()
    assert (run.status, run.resumable) == ("stopped", True)

"""However the application ends, the terminal is as it was and no process is left."""

from __future__ import annotations

import signal

import psutil
import pytest
from terminal import PATIENCE, application

ENDLESS = ("--dataset", "moons", "--epochs", "1000000", "--start")


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_a_signal_while_training(number: signal.Signals, status: int) -> None:
    with application(*ENDLESS, "--on-hangup", "stop", unhurried=True) as terminal:
        terminal.wait("▶ training")
        terminal.signal(number)
        assert terminal.ended() == status
        terminal.assert_restored()


def test_ctrl_c_while_loading() -> None:
    with application(*ENDLESS, cold=True) as terminal:
        terminal.wait("… loading")
        terminal.press("ctrl+c")
        assert terminal.ended() == 130
        terminal.assert_restored()


@pytest.mark.parametrize("on_hangup", ["stop", "continue"])
def test_a_terminal_that_vanishes(on_hangup: str) -> None:
    with application(*ENDLESS, "--on-hangup", on_hangup, unhurried=True) as terminal:
        terminal.wait("▶ training")
        terminal.vanish()
        # No interface; a run that goes on ends when it is told to.
        if on_hangup == "continue":
            assert terminal.process.status() != psutil.STATUS_ZOMBIE
            terminal.signal(signal.SIGTERM)
        _, alive = psutil.wait_procs([terminal.process], timeout=PATIENCE)
        assert alive == []

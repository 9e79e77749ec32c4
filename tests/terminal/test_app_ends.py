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
    with application(*ENDLESS, "--on-hangup", "stop") as terminal:
        terminal.wait("▶ training")
        helpers = terminal.helpers()
        assert helpers
        terminal.signal(number)
        assert terminal.ended() == status
        terminal.assert_restored()
        _, alive = psutil.wait_procs(helpers, timeout=PATIENCE)
        assert alive == []


def test_ctrl_c_while_loading() -> None:
    with application(*ENDLESS) as terminal:
        terminal.wait("… loading")
        helpers = terminal.helpers()
        assert helpers
        terminal.press("ctrl+c")
        assert terminal.ended() == 130
        terminal.assert_restored()
        _, alive = psutil.wait_procs(helpers, timeout=PATIENCE)
        assert alive == []


@pytest.mark.parametrize("on_hangup", ["stop", "continue"])
def test_a_terminal_that_vanishes(on_hangup: str) -> None:
    with application(*ENDLESS, "--on-hangup", on_hangup) as terminal:
        terminal.wait("▶ training")
        helpers = terminal.helpers()
        assert helpers
        terminal.vanish()
        # No interface, no helper; a run that goes on ends when it is told to.
        _, alive = psutil.wait_procs(helpers, timeout=PATIENCE)
        assert alive == []
        if on_hangup == "continue":
            assert terminal.process.status() != psutil.STATUS_ZOMBIE
            terminal.signal(signal.SIGTERM)
        _, alive = psutil.wait_procs([terminal.process], timeout=PATIENCE)
        assert alive == []


def test_a_killed_application_leaves_no_helper() -> None:
    with application() as terminal:
        terminal.wait("ready")
        helpers = terminal.helpers()
        assert helpers
        terminal.signal(signal.SIGKILL)
        assert terminal.ended() == 137
        _, alive = psutil.wait_procs(helpers, timeout=PATIENCE)
        assert alive == []

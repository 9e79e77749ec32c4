"""ctrl+z, `fg`, `bg` and `kill %1`, and what a process is sent meanwhile."""

from __future__ import annotations

import signal

import pytest
from job import Job
from signals_storm import CASES, attempt
from terminal import application

from d2ltui.store.listing import runs
from tests.selection import long_after

ENDLESS = ("--dataset", "moons", "--epochs", "1000000", "--start")


def test_ctrl_z_leaves_the_terminal_to_the_shell_and_fg_paints_it_all_again() -> None:
    with application(*ENDLESS, unhurried=True, within=Job) as job:
        job.wait("▶ training")
        job.press("ctrl+z")
        job.wait_stopped()
        job.assert_restored()
        job.clear()
        job.shell("fg")
        # What never changes is there, too: a terminal comes back empty.
        for words in ("Multilayer perceptron", "weight decay", "What is happening", "^r run", "training"):
            job.wait(words)
        job.press("x")
        job.wait("stopped")
        # Slurm, systemd and `timeout` send SIGCONT beside SIGTERM, to what runs, too.
        job.signal(signal.SIGCONT)
        job.press("?")
        job.wait("Keys (escape closes)")
        job.press("escape", "q")
        assert job.ended() == 0
        job.assert_restored()
        assert job.changed == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_kill_ends_what_ctrl_z_has_stopped(number: signal.Signals, status: int) -> None:
    with application(*ENDLESS, unhurried=True, within=Job) as job:
        job.wait("▶ training")
        job.press("ctrl+z")
        job.wait_stopped()
        job.signal(number)
        job.shell("bg")  # `kill %1` sends SIGCONT, too, and the terminal stays the shell's
        assert job.ended() == status
        job.assert_restored()
        assert job.changed == []
    assert [run.status for run in runs()] == ["stopped"]


def test_in_the_background_it_stops_again_and_a_hang_up_lets_the_run_go_on() -> None:
    with application(*ENDLESS, unhurried=True, within=Job) as job:
        job.wait("▶ training")
        job.press("ctrl+z")
        job.wait_stopped()
        seen = len(job.events)
        job.shell("bg")
        assert job.await_(lambda: len(job.events) > seen, 20), "it does not stop again"
        job.signal(signal.SIGHUP)
        job.signal(signal.SIGCONT)
        assert not job.await_(lambda: job.status is not None or job.stopped, 2)
        job.signal(signal.SIGTERM)
        assert job.ended() == 143
        job.assert_restored()
    assert [run.status for run in runs()] == ["stopped"]


def test_without_a_shell_ctrl_z_does_not_stop_for_ever() -> None:
    with application() as terminal:  # the leader of the terminal's session, as with `ssh -t`
        terminal.wait("ready")
        terminal.press("ctrl+z")
        terminal.wait("There is no shell")
        terminal.press("q")
        assert terminal.ended() == 0
        terminal.assert_restored()


@pytest.mark.parametrize("index", long_after(1, range(3)))
def test_a_share_of_the_storm(index: int) -> None:
    """Cases that are soon over; all of them: `signals_storm.py --whole`."""
    early = [case for case, (moment, _) in enumerate(CASES) if moment.name in ("0.3 s after the start", "painted")]
    assert attempt((early[17 * index + 4], index, 0.02))[1] == ""


def test_stopped_before_it_has_the_terminal_it_is_drawn_once_it_is_in_the_foreground() -> None:
    """Textual gives up taking a terminal in the background, and nobody took it later: the screen stayed blank."""
    wanted = ("0 s after the start", (signal.SIGTSTP, signal.SIGCONT))
    index = next(i for i, (moment, numbers) in enumerate(CASES) if (moment.name, tuple(numbers)) == wanted)
    assert attempt((index, 0, 0.2))[1] == ""

"""Which signal is the second one: the one that no longer waits for the step, and for the checkpoint."""

from __future__ import annotations

import signal

import pytest

from d2ltui.engine.control import Control
from d2ltui.spec import signals as module
from d2ltui.spec.signals import ONE_REQUEST, Signals


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The signals with which the process would have ended itself."""
    numbers: list[int] = []
    monkeypatch.setattr(module.os, "kill", lambda pid, number: numbers.append(number))
    monkeypatch.setattr(module.os, "isatty", lambda number: False)  # the tests' own terminal stays
    return numbers


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_hang_up_is_not_the_first_of_two_requests(killed: list[int], number: signal.Signals) -> None:
    control, clock = Control(), Clock()
    with Signals("stop", clock) as signals:
        signals.watch(control)
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        assert control.stopping
        clock.now = 9.0
        signal.raise_signal(number)
        assert killed == []
        assert signals.status == 128 + number
        clock.now += ONE_REQUEST
        signal.raise_signal(number)
        assert killed == [number]


def test_the_second_request_does_not_wait_whichever_it_is(killed: list[int]) -> None:
    clock = Clock()
    with Signals(clock=clock) as signals:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGHUP)
        assert killed == []
        clock.now = ONE_REQUEST
        signal.raise_signal(signal.SIGTERM)
        assert killed == [signal.SIGTERM]
        assert signals.status == 143


def test_what_comes_twice_at_once_is_one_request(killed: list[int]) -> None:
    """`timeout` signals its child, and then the child's process group; so does Slurm."""
    control, clock = Control(), Clock()
    with Signals(clock=clock) as signals:
        signals.watch(control)
        signal.raise_signal(signal.SIGTERM)
        clock.now = ONE_REQUEST * 0.9
        signal.raise_signal(signal.SIGTERM)
        assert control.stopping
        assert killed == []
        assert signals.status == 143

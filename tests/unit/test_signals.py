"""Which signal is the second one: the one that no longer waits for the step, and for the checkpoint."""

from __future__ import annotations

import signal

import pytest

from d2ltui.engine.control import Control
from d2ltui.runner import headless
from d2ltui.runner.headless import Signals


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The signals with which the process would have ended itself."""
    numbers: list[int] = []
    monkeypatch.setattr(headless.os, "kill", lambda pid, number: numbers.append(number))
    monkeypatch.setattr(headless.os, "isatty", lambda number: False)  # the tests' own terminal stays
    return numbers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_hang_up_is_not_the_first_of_two_requests(killed: list[int], number: signal.Signals) -> None:
    control = Control()
    with Signals("stop") as signals:
        signals.watch(control)
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        assert control.stopping
        signal.raise_signal(number)
        assert killed == []
        assert signals.status == 128 + number
        signal.raise_signal(number)
        assert killed == [number]


def test_the_second_request_does_not_wait_whichever_it_is(killed: list[int]) -> None:
    with Signals() as signals:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGHUP)
        assert killed == []
        signal.raise_signal(signal.SIGTERM)
        assert killed == [signal.SIGTERM]
        assert signals.status == 143

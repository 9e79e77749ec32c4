"""When the layers of a run are looked at: often at first, seldom while nobody looks, and within a share of the time."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from d2ltui.diagnosis import probes
from d2ltui.diagnosis.look import Look
from d2ltui.diagnosis.probes import Prober
from d2ltui.nn import build
from d2ltui.spec.config import RunConfig, resolve


def mlp() -> RunConfig:
    return resolve({"model": "mlp", "dataset": "digits", "device": "cpu", "hidden": "24,16"})


def samples(config: RunConfig) -> tuple[Tensor, Tensor]:
    return torch.rand(10, 64), torch.zeros(10, dtype=torch.int64)


class Clock:
    """A clock that goes where it is told to, and a thread that has computed for `speed` of that."""

    def __init__(self) -> None:
        self.now, self.speed = 100.0, 1.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(probes.time, "perf_counter", lambda: made.now)
    monkeypatch.setattr(probes.time, "thread_time", lambda: made.now * made.speed)
    return made


def test_how_often_it_is_due(clock: Clock) -> None:
    config = mlp()
    prober = Prober(build(config), *samples(config))
    never = Prober(build(config), *samples(config), None)
    for one in (prober, never):
        assert one.due(observed=False)
        one.probe(0, units=False)
    clock.now += probes.FIRST_PROBE - 0.001
    assert not prober.due(observed=True)
    clock.now += 0.002
    assert prober.due(observed=True)
    assert prober.due(observed=False)
    assert never.due(observed=True)
    assert not never.due(observed=False)
    clock.now += probes.EARLY_FOR
    prober.probe(5, units=False)
    clock.now += probes.PROBE_EVERY + 0.01
    assert prober.due(observed=True)
    assert not prober.due(observed=False)
    clock.now += probes.SAMPLE_EVERY
    assert prober.due(observed=False)


@pytest.mark.parametrize(
    ("observed", "after", "then"),
    [(True, (0.03, 0.06, 0.12, 0.24, 0.48, 0.96, 1.46, 1.96), 1.0), (False, (0.03, 0.13, 0.26, 0.52, 1.04, 2.08), 2.0)],
    ids=["while somebody looks", "while nobody does"],
)
def test_the_first_looks_come_oftener(
    observed: bool, after: tuple[float, ...], then: float, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of a tenth of a second has been looked at, too; each look takes 2 ms, the very first one 30."""
    look, looks = probes.look, list[float]()

    def slow(*arguments: Any, **options: Any) -> Look:
        clock.now += 0.002 if looks else 0.03
        return look(*arguments, **options)

    monkeypatch.setattr(probes, "look", slow)
    config = mlp()
    prober = Prober(build(config), *samples(config))
    for _ in range(16000):
        clock.now += 0.001
        if prober.due(observed=observed):
            prober.probe(0, units=False)
            looks.append(clock.now)
    since = [moment - looks[0] for moment in looks[1:]]
    assert since[: len(after)] == pytest.approx(after, rel=0.2)
    waits = [later - before for before, later in itertools.pairwise(since[len(after) :])]
    assert waits == pytest.approx([then] * len(waits), abs=0.02)
    assert len(waits) > 4


def test_a_pause_before_the_first_step_takes_no_early_look(clock: Clock) -> None:
    """Who opens the application, looks around for a minute and then starts sees the first tenths of a second, too."""
    paused = 60.0
    prober = Prober(build(mlp()), *samples(mlp()), trained=lambda: max(0.0, clock.now - 100.0 - paused))
    prober.probe(0, units=False)
    clock.now += paused
    prober.probe(0, units=False)  # as a pause does
    looks = []
    for _ in range(2000):
        clock.now += 0.001
        if prober.due(observed=False):
            prober.probe(0, units=False)
            looks.append(clock.now - 100.0 - paused)
    assert [*looks[:2], *looks[-2:]] == pytest.approx([0.02, 0.04, 0.64, 1.28], rel=0.1)


@pytest.mark.parametrize(
    ("age", "took", "wait"),
    [(0.0, 0.016, 0.8), (0.8, 0.004, 0.8), (0.0, 0.256, 12.8), (1.8, 0.016, 2.0), (1.8, 0.256, 25.6)],
    ids=["8 at first", "when it has doubled", "128 at first", "8 later", "128 later"],
)
def test_members_of_a_short_run_are_looked_at_between_its_start_and_its_end(
    age: float, took: float, wait: float
) -> None:
    assert probes.unseen_wait(age, took, 0.01) == pytest.approx(wait)


def test_on_a_busy_machine_a_look_waits_for_as_many_steps(clock: Clock) -> None:
    """Of each second, this thread gets a tenth: by the clock alone, looks would take ten times their share."""
    clock.speed = 0.1
    config = mlp()
    prober = Prober(build(config), *samples(config))
    for step in range(2):
        clock.now += probes.EARLY_FOR
        prober.probe(step, units=False)
    prober._times.extend((0.01,) * 3)
    prober._computed.extend((0.01,) * 3)
    clock.now += 0.95 * 0.01 / probes.LOOKED_AT_SHARE * 10
    assert not prober.due(observed=True)
    assert prober.due(observed=True, slowed=True), "slow motion leaves time for looks"
    clock.now += 0.1 * 0.01 / probes.LOOKED_AT_SHARE * 10
    assert prober.due(observed=True)


@pytest.mark.parametrize(
    ("times", "wait"),
    [
        ((0.001,) * 3, 1.0),
        ((0.02,) * 3, 1.0),
        ((0.03,) * 3, 1.5),
        ((0.3,) * 3, 15.0),
        # The machine was busy with something else for a moment, or for all but a moment.
        ((0.0, 0.0, 0.6), 1.0),
        ((0.003, 0.09, 0.09), 4.5),
    ],
    ids=lambda value: f"{value}",
)
def test_a_network_that_is_slow_to_look_at_is_looked_at_less_often_but_not_never(
    times: tuple[float, ...], wait: float, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = mlp()
    prober = Prober(build(config), *samples(config))
    batch_refresh = probes.look
    for step, took in enumerate(times):

        def slow(*arguments: Any, took: float = took, **options: Any) -> Look:
            clock.now += took
            return batch_refresh(*arguments, **options)

        monkeypatch.setattr(probes, "look", slow)
        clock.now += probes.EARLY_FOR
        prober.probe(step, units=False)
    clock.now += wait - 0.01
    assert not prober.due(observed=True)
    clock.now += 0.02
    assert prober.due(observed=True)

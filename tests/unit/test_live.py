"""LiveRun: what is known of a run, event by event."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from runs import run, short

from d2ltui.history.live import MAX_LAYERS, LiveRun
from d2ltui.spec import events
from d2ltui.spec.config import resolve
from d2ltui.tui.screens.runs_curves import span


def steps(step: int, n: int) -> events.StepsTrained:
    """A block of n steps, the last of them number `step`."""
    losses = np.arange(step - n, step, dtype=np.float32)
    return events.StepsTrained(step, losses, losses / 10, seconds=step / 100)


def test_a_new_run() -> None:
    live = LiveRun(short())
    assert (live.status, live.step, live.epoch, live.seconds) == ("loading", 0, 1, 0.0)
    assert live.ended is None
    assert live.lr == short().lr


def test_steps_fill_the_histories() -> None:
    live = LiveRun(short())
    live(steps(4, 4))
    live(steps(7, 3))
    assert (live.step, live.seconds) == (7, 0.07)
    assert len(live.losses) == len(live.metrics) == 7


def test_every_event_changes_the_version() -> None:
    live = LiveRun(short())
    for count, event in enumerate(
        (
            events.StatusChanged("loading"),
            events.Loading("digits: loading"),
            events.StatusChanged("training"),
            steps(1, 1),
            events.LearningRateChanged(1, 0.5),
            events.EpochEnded(1, 10, 1.0, 1.0, 0.5, 0.5, 0.1),
            events.LayersProbed(10, ()),
            events.RunEnded("finished", "", {}),
        ),
        1,
    ):
        live(event)
        assert live.version == count
    assert live.status == "finished"
    assert live.lr == 0.5
    assert live.loading is not None
    assert live.loading.message == "digits: loading"


@pytest.mark.parametrize(
    ("step", "ended", "expected"), [(0, 0, 1), (1, 0, 1), (9, 0, 1), (10, 0, 1), (10, 1, 1), (11, 1, 2), (30, 3, 3)]
)
def test_the_epoch_that_is_trained(step: int, ended: int, expected: int) -> None:
    live = LiveRun(short())
    if step:
        live(steps(step, step))
    for epoch in range(1, ended + 1):
        live(events.EpochEnded(epoch, 10 * epoch, 1.0, 1.0, 0.5, 0.5, 0.1))
    assert live.epoch == expected


def test_of_a_run_whose_first_epochs_are_lost_the_epoch_is_still_known() -> None:
    live = LiveRun(short(epochs=5000))
    live(events.RunResumed(20_000, 2001, 1.0, 0.1))
    for epoch in range(1001, 2001):
        live(events.EpochEnded(epoch, 10 * epoch, 1.0, 1.0, 0.5, 0.5, 0.1))
    assert live.epoch == 2000
    live(steps(20_015, 15))
    assert live.epoch == 2002
    assert len(live.losses) == live.step == 20_015
    assert np.isnan(live.losses.values()[:20_000]).all()
    assert span(live) == 2048


def test_a_whole_run_is_kept() -> None:
    live = LiveRun(short())
    _, tape = run(short(), None, live)
    assert live.status == "finished"
    assert live.step == len(live.losses) == len(tape.losses) == 30
    assert live.epochs == tape.of(events.EpochEnded)
    assert live.ended is tape.ended
    assert live.started == tape.of(events.RunStarted)[0]
    assert live.layers == tape.of(events.LayersProbed)[-1]
    assert live.version == len(tape.events)


def test_events_are_values() -> None:
    with pytest.raises(AttributeError):
        events.StatusChanged("ready").status = "failed"  # type: ignore[misc]
    _, tape = run(short(epochs=1))
    plain = (bool, int, float, str, tuple, list, dict, type(None), np.ndarray, msgspec.Struct)
    for event in tape.events:
        assert all(isinstance(getattr(event, name), plain) for name in event.__struct_fields__)


def test_exit_statuses() -> None:
    assert {status: events.exit_status(status) for status in events.ENDED} == {
        "finished": 0,
        "stopped": 0,
        "diverged": 1,
        "failed": 1,
    }


def test_json_is_one_line_without_nan() -> None:
    assert events.to_json({"a": 1, "b": None, "c": "λ"}) == '{"a": 1, "b": null, "c": "λ"}'
    assert events.to_json({"a": float("nan")}) == '{"a": null}'


def test_the_history_of_many_layers_takes_no_more_room_than_that_of_few() -> None:
    live = LiveRun(resolve({}))
    layer = events.LayerStats(1, "Linear", (0,) * 40, 0.0, 1.0, -1.0, 1.0, 0.0, None, None, 0, None, None)
    for step in range(1000):
        live(events.LayersProbed(step, (layer,) * 200, 1.0))
    assert len(live.probes) <= MAX_LAYERS // 200
    assert live.probes[-1].step == 999
    assert live.probes[0].step < 200, "it spans the whole run"


def test_a_run_that_is_resumed_loads_and_is_not_over() -> None:
    config = resolve({"model": "linear", "epochs": 2})
    live = LiveRun(config)
    for event in (
        events.StatusChanged("loading"),
        events.RunStarted(config, "cpu", (), 1000, 1000, 10, "in memory"),
        events.StatusChanged("training"),
    ):
        live(event)
    assert (live.examined, live.word) == (False, "training")
    live(events.Loading("looking for the cause", 0.5))
    assert (live.examined, live.word) == (True, "over")
    live(events.StatusChanged("loading"))  # as a stored run that goes on
    assert (live.examined, live.word) == (False, "loading")

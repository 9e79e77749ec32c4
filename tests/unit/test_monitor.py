"""The monitor of a run tells what is new, and remembers within bounds."""

from __future__ import annotations

import msgspec
from looks import MLP, layer, looked
from runs import rules

from d2ltui.diagnosis.monitor import MAX_HISTORY, Monitor, examine
from d2ltui.history.live import MAX_PROBES, LiveRun
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import resolve


def test_the_monitor_tells_only_news() -> None:
    config = resolve(MLP)
    monitor = Monitor(config, catalogue.layer_plan(config))

    def look(step: int, dead: float) -> events.FindingsChanged | None:
        return monitor.look(looked(step, layer(1), layer(2, "ReLU", dead=dead), layer(3)), [], config.lr)

    assert look(0, 0.0) is None
    told = look(10, 0.4)
    assert told is not None
    assert (told.step, rules(told.findings)) == (10, {"dead-relu": "warning"})
    assert look(20, 0.41) is None
    moved = look(30, 0.6)
    assert moved is not None
    assert moved.findings[0].step == 30
    assert look(40, 0.9) is not None
    gone = look(50, 0.0)
    assert gone is not None
    assert gone.findings == ()


def test_the_monitor_forgets_the_middle_and_keeps_the_start() -> None:
    config = resolve(MLP)
    monitor = Monitor(config, catalogue.layer_plan(config))
    monitor.look(looked(0, layer(1), loss=2.3), [], config.lr)
    for step in range(1, 3 * MAX_HISTORY):
        monitor.look(looked(step, layer(1), loss=2.2), [], config.lr)
    told = monitor.look(looked(1000, layer(1), loss=23.0), [], config.lr)
    assert told is not None
    assert "2.3" in told.findings[0].what


def test_the_live_run_spans_the_whole_run_in_bounded_room() -> None:
    live = LiveRun(resolve(MLP))
    for step in range(3 * MAX_PROBES):
        live(looked(step, layer(1), layer(2, "ReLU", unit_activity=(0.5,))))
    assert len(live.probes) <= MAX_PROBES
    assert (live.probes[0].step, live.probes[-1].step) == (0, 3 * MAX_PROBES - 1)
    assert live.layers is not None
    assert live.layers.layers[1].unit_activity == (0.5,)
    assert live.probes[-1].layers[1].unit_activity is None


def test_findings_can_be_written_down() -> None:
    (finding,) = examine([looked(0, layer(1))], [], resolve({**MLP, "activation": "identity"}))
    assert msgspec.json.decode(msgspec.json.encode(finding), type=events.Finding) == finding

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
        return monitor.look(looked(step, layer(1), layer(2, "ReLU", dead=dead), layer(3), loss=2.3), [], config.lr)

    assert look(0, 0.0) is None
    early = look(10, 0.4)
    assert early is not None
    assert rules(early.findings) == {"dead-relu": "note"}
    told = look(110, 0.4)
    assert told is not None
    assert (told.step, rules(told.findings)) == (110, {"dead-relu": "warning"})
    assert look(120, 0.41) is None
    moved = look(130, 0.6)
    assert moved is not None
    assert moved.findings[0].step == 130
    assert look(140, 0.9) is not None
    gone = look(150, 0.0)
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


def test_one_cause_is_told_and_what_follows_from_it_has_no_remedy() -> None:
    """Steps that are too long kill units, too: of the two remedies, only one is told."""
    config = resolve({**MLP, "lr": 3})
    monitor = Monitor(config, catalogue.layer_plan(config), 200)

    def look(step: int, ratio: float, loss: float) -> events.FindingsChanged | None:
        layers = layer(1, update_ratio=ratio), layer(2, "ReLU", dead=0.9), layer(3)
        return monitor.look(looked(step, *layers, loss=loss), [], config.lr)

    look(0, 0.1, 2.3)
    look(60, 2.0, 3.0)
    told = look(120, 3.0, 3.5)
    assert told is not None
    cause, dead = told.findings
    assert (cause.rule, cause.because_of, cause.remedy) == ("learning-rate-high", "", {"lr": 0.1})
    assert (dead.rule, dead.severity, dead.because_of, dead.remedy) == ("dead-relu", "alarm", cause.rule, {})
    learns = look(180, 2.0, 1.0)
    assert learns is not None
    assert {finding.severity for finding in learns.findings} == {"note"}


def test_notes_have_no_opposite_remedies() -> None:
    config = resolve({**MLP, "activation": "sigmoid"})
    told = Monitor(config, catalogue.layer_plan(config)).look(
        looked(0, layer(1), layer(2, "Sigmoid", mean=0.5, saturated=0.9), layer(3, gradient_norm=500.0)), [], config.lr
    )
    assert told is not None
    wanted = [set(finding.remedy.items()) for finding in told.findings if finding.remedy]
    names = [name for remedy in wanted for name, _ in remedy]
    assert len(told.findings) > 2
    assert len(set().union(*wanted)) == len(set(names))

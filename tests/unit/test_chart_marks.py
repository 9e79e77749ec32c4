"""Marks on the x axis: what happened to a run, where it stands, and what the cursor says of it."""

from __future__ import annotations

import numpy as np
import pytest

from d2ltui.charts.draw import draw
from d2ltui.charts.of_run import Curves
from d2ltui.charts.spec import Style
from d2ltui.history.live import LiveRun
from d2ltui.history.marks import marks_of
from d2ltui.spec import events
from d2ltui.spec.config import resolve
from d2ltui.spec.findings import all_well
from d2ltui.store.reader import RunReader
from d2ltui.store.writer import StoreThread

PER_EPOCH = 45


def finding(rule: str, severity: events.Severity, step: int) -> events.Finding:
    return events.Finding(rule, severity, 1, step, 0.5, f"{rule} in layer 1.", "", "", {})


def story() -> list[events.Event]:
    """450 steps: paused after 90 (and then step by step to 92), another rate after 180, a warning, then an alarm."""
    values = np.linspace(1, 0.1, 450, dtype=np.float32)
    warning, alarm = finding("slow", "warning", 225), finding("dead-relu", "alarm", 315)

    def trained(first: int, last: int) -> events.StepsTrained:
        return events.StepsTrained(last, values[first:last], values[first:last], last / 100)

    return [
        events.StatusChanged("training"),
        trained(0, 90),
        *(events.StatusChanged(word, step) for step in (90, 91, 92) for word in ("paused", "training")),  # type: ignore[arg-type]
        trained(90, 180),
        events.LearningRateChanged(180, 0.01),
        trained(180, 225),
        events.FindingsChanged(225, (warning,)),
        trained(225, 315),
        events.FindingsChanged(315, (alarm, warning)),
        trained(315, 450),
    ]


def told(tale: list[events.Event]) -> LiveRun:
    live = LiveRun(resolve({"epochs": 10, "lr": 0.1}))
    for event in tale:
        live(event)
    return live


EXPECTED = [
    (90, "P", "paused after step 90, and step by step to 92"),
    (180, "L", "lr 0.1 → 0.01 after step 180"),
    (225, "△", "slow in layer 1."),
    (315, "▲", "dead-relu in layer 1."),
]


def test_what_happened_to_a_run_is_known_afterwards() -> None:
    assert [mark[:2] + mark[3:4] for mark in marks_of(told(story()))] == EXPECTED


def test_a_run_that_goes_back_forgets_what_came_later() -> None:
    live = told(story())
    live(events.RunResumed(200, 5, 2.0, 0.01))
    assert [(mark.step, mark.sign) for mark in marks_of(live)] == [(200, "R"), (90, "P"), (180, "L")]


def test_findings_are_those_of_the_moment_that_is_looked_at() -> None:
    live = told(story())
    assert [len(live.findings_at(step)[0]) for step in (None, 10, 224, 225, 314, 315, 450)] == [2, 0, 0, 1, 1, 2, 2]


def test_what_a_relu_is_from_the_start_is_no_mark() -> None:
    live = told([events.FindingsChanged(0, (finding("not-zero-centred", "note", 0),)), *story()])
    assert [mark[:2] + mark[3:4] for mark in marks_of(live)] == EXPECTED


@pytest.mark.parametrize("ascii", [False, True])
@pytest.mark.parametrize("zoom", [0, 2])
def test_marks_stand_on_the_axis_and_are_told_at_the_cursor(ascii: bool, zoom: int) -> None:
    curves = Curves(told(story()))
    for step, sign, sentence in EXPECTED:
        chart = curves.loss(70, 14, log=False, smoothing=0.0, ascii=ascii, zoom=zoom, cursor=step)
        rows = ["".join(text for _, text in row) for row in draw(chart)]
        shown = {"▲": "!", "△": "^"}.get(sign, sign) if ascii else sign
        column = rows[2].index("|" if ascii else "┊", 7)
        assert rows[-2][column] == shown
        assert rows[0].startswith(f"{shown} {sentence.replace('→', '->') if ascii else sentence}")
    legend = "".join(text for _, text in draw(curves.loss(90, 14, log=False, smoothing=0.0, ascii=ascii))[0])
    assert legend.startswith("! alarm  ^ warning  L lr  P paused" if ascii else "▲ alarm  △ warning  L lr  P paused")


def test_the_gravest_mark_of_a_column_is_seen_in_its_colour() -> None:
    live = told([*story(), events.LearningRateChanged(315, 0.5)])
    axis = draw(Curves(live).loss(70, 14, log=False, smoothing=0.0, ascii=False))[-2]
    assert (int(Style.WARNING), "▲") in [(style, text.strip("─")) for style, text in axis]


def test_a_stored_run_has_the_same_marks_and_findings() -> None:
    config = resolve({"model": "linear", "batch_size": 100, "epochs": 45})
    store = StoreThread(config)
    started = events.RunStarted(config, "cpu", (), 1000, 100, 10, "memory")
    for event in (started, *story(), events.RunEnded("stopped", "", {})):
        store(event)
    assert store.close()
    assert store.path is not None
    with RunReader(store.path) as reader:
        assert [mark[0:2] for mark in marks_of(reader.live)] == [mark[:2] for mark in EXPECTED]
        assert [len(reader.live.findings_at(step)[0]) for step in (10, 225, 315)] == [0, 1, 2]


def test_an_alarm_that_has_passed_in_a_run_that_is_well_is_no_alarm() -> None:
    tale = story()
    assert [mark.sign for mark in marks_of(told(tale))][-2:] == ["△", "▲"], "nobody has said that it is well"
    well = [*tale, events.FindingsChanged(450, (finding("dead-relu", "note", 450),), ("loss of 10 epochs",))]
    assert all_well(told(well).findings, told(well).looked_at)
    marks = {mark.step: mark for mark in marks_of(told(well)) if mark.severity}
    assert {mark.sign for mark in marks.values()} == {"·"}
    assert marks[315].meaning == "passed"
    assert marks[315].sentence == "alarm at that time, which has passed: dead-relu in layer 1."
    sick = [*tale, events.FindingsChanged(450, (finding("dead-relu", "alarm", 450),), ("loss of 10 epochs",))]
    assert [mark.sign for mark in marks_of(told(sick))][-2:] == ["△", "▲"]

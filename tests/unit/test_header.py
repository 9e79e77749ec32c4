"""A run is what its header says: one that another program trains is drawn and compared like any other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from d2ltui.charts.bundles import bundled
from d2ltui.charts.draw import draw
from d2ltui.charts.of_run import Curves
from d2ltui.history.live import LiveRun
from d2ltui.history.marks import marks_of
from d2ltui.spec import events
from d2ltui.spec.comparison import differences, loss_factors
from d2ltui.spec.config import resolve
from d2ltui.spec.header import RunHeader, header_of
from d2ltui.tui.panes.picture import is_chain, kinds_of
from d2ltui.tui.screens.runs_curves import Shown, marked_runs
from d2ltui.tui.screens.runs_curves import differences as told

STEPS = 50
BRAILLE = [chr(code) for code in range(0x2801, 0x2900)]


def another_programs() -> LiveRun:
    """A run of which only its header and its figures are known: not even how long an epoch is."""
    live = LiveRun(RunHeader(params={"learning_rate": 1e-7, "blocks": [3, 4], "note": "a\x1b[2Jb"}, source="loop.py"))
    losses = np.linspace(2, 1, STEPS, dtype=np.float32)
    live(events.StatusChanged("training"))
    live(events.StepsTrained(STEPS, losses, losses / 4, 3.0))
    live(events.EpochEnded(1, STEPS, 1.5, 1.25, 0.3, 0.4, 3.0))
    return live


def test_its_curves_are_drawn() -> None:
    live = another_programs()
    curves = Curves(live)
    specs = (
        curves.loss(60, 12, log=False, smoothing=0.6, ascii=False),
        curves.metric(60, 12, smoothing=0.6, ascii=False),
    )
    for spec in specs:
        drawing = draw(spec)
        assert len(drawing) == 12
        assert set("".join(part for line in drawing for _, part in line)) & set(BRAILLE)
    live(events.LearningRateChanged(STEPS, 0.5))
    assert [mark.sentence for mark in marks_of(live)] == [f"lr 0.5 after step {STEPS}"]


def test_it_is_compared_with_a_run_of_this_engine() -> None:
    other, own = another_programs(), LiveRun(resolve({"lr": 0.1}))
    headers = [other.header, own.header]
    found = dict(differences(headers))
    assert found["learning_rate"] == ["1e-7", "–"]
    assert found["blocks"] == ["3,4", "–"]
    assert found["lr"] == ["–", "0.1"]
    assert "\x1b" not in "".join(found["note"])
    assert loss_factors(headers) == [1.0, 1.0]
    assert "learning_rate: a 1e-7, b –" in told(bundled({"theirs": other, "ours": own}))
    spec, below = marked_runs(bundled({"theirs": other, "ours": own}), Shown(), 60, 12, ascii=False)
    assert "─a─ theirs: 1.25 0.4" in "".join(text for line in below for _, text in line)
    assert spec.lines[0].y == [1.25]


def test_what_only_this_engine_knows_is_said_to_be_missing() -> None:
    live = another_programs()
    assert not live.is_configured
    assert not live.is_of(resolve({}))
    assert (live.epoch, live.header.total_steps, live.header.metric) == (1, None, "accuracy")
    assert (kinds_of(live), is_chain(live)) == ((), False)
    assert math.isnan(live.lr)
    with pytest.raises(LookupError, match=r"trained by loop\.py"):
        live.config  # noqa: B018


def test_a_header_of_this_engine_has_what_its_model_has() -> None:
    params = header_of(resolve({"model": "linear", "lr": 0.25})).params
    assert params["lr"] == 0.25
    assert not {"hidden", "activation", "data_dir"} & set(params)

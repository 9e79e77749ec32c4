"""The doctor bears whatever a run may have been, and says nothing that is not so."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from d2ltui.data import Dataset, load
from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve

SMALL = {"device": "cpu", "threads": 1, "epochs": 2}
MOONS = {**SMALL, "dataset": "moons", "hidden": "8"}
LINEAR, SOFTMAX = {**SMALL, "model": "linear"}, {**SMALL, "model": "softmax", "dataset": "moons"}


def data_of(config: RunConfig) -> Dataset:
    return load(config, lambda message, fraction: None, lambda: False)


def told(config: RunConfig, data: Dataset) -> tuple[events.RunEnded, tuple[events.Finding, ...]]:
    """How a run ended, and what was found at last; nothing has failed meanwhile."""
    seen: list[events.Event] = []
    ended = Trainer(config, Control(), [seen.append], dataset=data, diagnose=True).run()
    assert [event.sentence for event in seen if isinstance(event, events.ObserverFailed)] == []
    found = [event.findings for event in seen if isinstance(event, events.FindingsChanged)]
    return ended, found[-1] if found else ()


def first(data: Dataset, train: int, val: int) -> Dataset:
    return dataclasses.replace(
        data,
        x_train=data.x_train[:train],
        y_train=data.y_train[:train],
        x_val=data.x_val[:val],
        y_val=data.y_val[:val],
    )


ODD: dict[str, Callable[[Dataset], Dataset]] = {
    "one sample": lambda data: first(data, 1, 1),
    "two samples": lambda data: first(data, 2, 1),
    "labels all equal": lambda data: dataclasses.replace(data, y_train=data.y_train * 0, y_val=data.y_val * 0),
    "training labels all equal": lambda data: dataclasses.replace(data, y_train=data.y_train * 0),
    "constant inputs": lambda data: dataclasses.replace(data, x_train=data.x_train * 0 + 1, x_val=data.x_val * 0 + 1),
    "inputs of zeros": lambda data: dataclasses.replace(data, x_train=data.x_train * 0, x_val=data.x_val * 0),
    "nan in the inputs": lambda data: dataclasses.replace(data, x_train=data.x_train * math.nan),
    "one nan": lambda data: dataclasses.replace(data, x_train=_with_nan(data.x_train)),
    "inputs of 1e30": lambda data: dataclasses.replace(data, x_train=data.x_train * 1e30, x_val=data.x_val * 1e30),
    "inputs of 1e-30": lambda data: dataclasses.replace(data, x_train=data.x_train * 1e-30, x_val=data.x_val * 1e-30),
}


def _with_nan(x: torch.Tensor) -> torch.Tensor:
    x = x.clone()
    x[len(x) // 2] = math.nan
    return x


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "given", [MOONS, {**SMALL, "model": "linear"}, {**SMALL, "model": "softmax", "dataset": "moons"}]
)
def test_odd_data_is_borne(odd: str, given: dict[str, Any]) -> None:
    config = resolve({**given, "batch_size": 100})
    ended, found = told(config, ODD[odd](data_of(config)))
    assert ended.status in ("finished", "diverged")
    for finding in found:
        assert "nan" not in finding.what or "nan" in odd or "1e" in odd, finding.what
        assert finding.why
    last = ended.summary.get("val_accuracy", ended.summary.get("val_r2"))
    learned = isinstance(last, float) and last > 0.6
    if not learned and odd not in ("one sample", "two samples"):
        assert [finding for finding in found if finding.severity != "note"], "a run that has learned nothing"


def test_a_run_of_one_step_is_examined() -> None:
    config = resolve({**MOONS, "epochs": 1, "batch_size": 800})
    _, found = told(config, data_of(config))
    assert found[0].what.startswith("1 training step is too few")


def test_a_network_of_one_linear_layer_that_starts_with_no_loss() -> None:
    config = resolve({**LINEAR, "init": "zeros"})
    data = data_of(config)
    ended, found = told(config, dataclasses.replace(data, y_train=data.y_train * 0, y_val=data.y_val * 0))
    assert (ended.summary["train_loss"], ended.summary["val_r2"]) == (0, 1)
    assert [finding for finding in found if finding.severity != "note"] == []


def test_one_wrong_label_for_all_is_told_as_what_it_is() -> None:
    config = resolve(MOONS)
    data = data_of(config)
    _, found = told(config, dataclasses.replace(data, y_train=data.y_train * 0))
    assert found[0].rule == "label-imbalance"
    assert "100 % of the training labels are class 0" in found[0].what

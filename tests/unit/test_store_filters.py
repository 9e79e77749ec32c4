"""Typed conditions on runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from d2ltui.spec.config import resolve
from d2ltui.store import NotAllowed
from d2ltui.store.filters import FIELDS, matches, parse
from d2ltui.store.listing import RunInfo

RUN = RunInfo(
    name="mlp-digits-3",
    path=Path("x"),
    status="finished",
    config=resolve({"model": "mlp", "lr": 0.1, "hidden": "64,32", "dropout": 0.5}),
    device="cpu",
    steps=4500,
    epochs=100,
    seconds=3.5,
    figures={"val_loss": 0.25, "val_accuracy": 0.97},
    note="the Good one",
    group="sweep-1",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("lr>=0.1", True),
        ("lr>0.1", False),
        ("lr<0.2 model=mlp status=finished", True),
        ("lr<0.2 model=linear", False),
        ("lr==1e-1", True),
        ("hidden=64,32", True),
        ("hidden!=64", True),
        ("batch-size<=32", True),
        ("epochs=100", True),
        ("steps>4499.5", True),
        ("val_loss<0.3 val_accuracy>=.97", True),
        ("val_r2>0", False),
        ("val_r2!=0", True),
        ("dropout<2", True),
        ("group=sweep-1", True),
        ("name!=mlp-digits-3", False),
        ("device=cpu", True),
        ("digits good", True),
        ("moons", False),
        ("status!=finished", False),
    ],
)
def test_conditions(text: str, expected: bool) -> None:
    assert matches(parse(text), RUN) is expected
    assert matches(parse(text.split()), RUN) is expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lrr>1", "filter: 'lrr' is not a field of a run (did you mean lr?); allowed: status, "),
        ("lr>=abc", "filter: lr 'abc' is not allowed; allowed: a number"),
        ("lr=nan", "filter: lr 'nan' is not allowed; allowed: a number"),
        ("lr>=", "filter: lr '' is not allowed; allowed: a number"),
        ("model=mpl", "filter: model: 'mpl' is not allowed (did you mean mlp?); allowed: linear, softmax, mlp"),
        ("model>mlp", "filter: '>' is not allowed with model; allowed: = and !="),
        ("hidden=wide", "filter: hidden: 'wide' is not allowed; allowed: 1 to 200 whole numbers"),
        ("status=done", "filter: status 'done' is not known; allowed: loading, training, "),
        ("lr", "filter: 'lr' alone is not allowed; allowed: lr, one of <= >= != = < >, and a value, such as lr>=0.1"),
        ("batch-size moons", "filter: 'batch-size' alone is not allowed; allowed: batch-size, one of "),
        (">=1", "filter: '>=1' is not allowed; allowed: FIELD, one of <= >= != = < >, and a value"),
    ],
)
def test_wrong_conditions(text: str, said: str) -> None:
    with pytest.raises(NotAllowed) as error:
        parse(text)
    assert str(error.value).startswith(said)


def test_a_damaged_run_has_nothing() -> None:
    damaged = RunInfo("x", Path("x"), "damaged", problem="broken")
    for field in FIELDS:
        if field in ("status", "name", "group", "note", "host", "device", "steps", "epochs", "seconds"):
            continue
        value = {"model": "mlp", "dataset": "digits", "implementation": "concise", "activation": "relu"}.get(field)
        value = value or {"init": "xavier", "optimizer": "sgd", "schedule": "step", "function": "sine"}.get(field)
        value = value or {"precision": "fp32"}.get(field, "1")
        assert not matches(parse(f"{field}={value}"), damaged), field

"""What is said to be pasted into a shell is taken there."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from d2ltui.diagnosis.causes import command_with, with_remedy
from d2ltui.spec.config import resolve
from d2ltui.spec.events import Finding
from d2ltui.spec.findings import findings_in_words

CASES: list[tuple[dict[str, Any], dict[str, object]]] = [
    ({"model": "mlp", "dataset": "digits", "init": "normal", "init_std": 5.0, "lr": 1.0}, {"init": "kaiming"}),
    ({"model": "mlp", "dataset": "digits", "optimizer": "momentum", "momentum": 0.5}, {"lr": 0.01}),
    ({"model": "mlp", "hidden": (64, 32), "dataset": "circles", "factor": 0.3, "seed": 3}, {"activation": "relu"}),
    ({"model": "softmax", "dataset": "moons", "epochs": 4, "data_dir": "/"}, {"model": "mlp"}),
    ({"model": "softmax", "dataset": "digits", "label_smoothing": 0.2, "clip_norm": 0.5}, {"model": "mlp"}),
    ({"model": "linear", "dataset": "synthetic-linear", "init": "normal", "init_std": 3.0}, {"lr": 0.03}),
]


@pytest.mark.parametrize(("given", "remedy"), CASES)
def test_the_command_with_a_remedy_is_allowed_and_trains_that(given: dict[str, Any], remedy: dict[str, object]) -> None:
    config = resolve(given)
    program, command, *options = shlex.split(command_with(config, remedy))
    assert (program, command) == ("d2ltui", "train")
    pasted = {name[2:].replace("-", "_"): value for name, value in zip(options[::2], options[1::2], strict=True)}
    assert resolve(pasted) == with_remedy(config, remedy)
    assert pasted.items() >= {name: str(value) for name, value in given.items() if name in ("label_smoothing",)}.items()
    assert remedy.keys() <= pasted.keys(), "also where it is the default: it is what is to be tried"


def test_findings_tell_the_command_below_what_to_try() -> None:
    config = resolve(CASES[0][0])
    found = Finding("saturation", "alarm", None, 1, 1.0, "So.", "Why.", "Train with init kaiming.", {"init": "kaiming"})
    looked = Finding("dead-relu", "note", None, 1, 1.0, "So.", "Why.", "Look at it.", {})
    lines = findings_in_words([found, looked], lambda remedy: command_with(config, remedy))
    assert lines[3] == "        d2ltui train --model mlp --dataset digits --init kaiming --lr 1.0"
    assert lines[-1] == "    try: Look at it.", "which no command does"
    assert findings_in_words([found])[-1] == "    try: Train with init kaiming."

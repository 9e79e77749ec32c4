"""Several runs by one command: what is said of those that finished, and of those that did not."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from torch import Generator, Tensor

from d2ltui.nn import init


@pytest.mark.parametrize("good", [0, 1, 2])
def test_means_are_told_as_what_they_are(  # type: ignore[no-untyped-def]
    command, monkeypatch: pytest.MonkeyPatch, good: int
) -> None:
    """Of three seeds, the last ones diverge."""
    draw = init.default

    def unlucky(weight: Tensor, bias: Tensor, fan_in: int, fan_out: int, generator: Generator, params: Any) -> None:
        draw(weight, bias, fan_in, fan_out, generator, params)
        if params["seed"] >= good:
            weight += math.inf

    monkeypatch.setattr(init, "default", unlucky)
    options = ("--dataset", "moons", "--epochs", "2", "--hidden", "4", "--batch-size", "300", "--device", "cpu")
    status, out, _ = command("train", "--seeds", "3", "--json", "--no-store", *options)
    assert status == 1
    found = json.loads(out.splitlines()[-1])
    assert all(isinstance(one["findings"], list) for one in found["runs"])
    assert [one["status"] for one in found["runs"]] == ["finished"] * good + ["diverged"] * (3 - good)
    assert found["n"] == good
    assert f"{good} of 3 runs finished" in out
    assert all("run" not in one for one in found["runs"])
    if good == 0:
        assert found["mean"] == found["sd"] == {}
        assert "±" not in out
        assert "mean" not in out.partition("{")[0]
    elif good == 1:
        assert found["mean"]["val_loss"] == found["runs"][0]["val_loss"]
        assert set(found["sd"].values()) == {None}
        assert "±" not in out
        assert "band" not in out
    else:
        losses = [one["val_loss"] for one in found["runs"][:2]]
        assert found["mean"]["val_loss"] == pytest.approx(np.mean(losses))
        assert found["sd"]["val_loss"] == pytest.approx(np.std(losses, ddof=1))
        assert "band from the lowest to the highest of the 2 that finished" in out


def test_the_summary_names_the_run(command) -> None:  # type: ignore[no-untyped-def]
    options = ("--model", "linear", "--epochs", "1", "--quiet", "--json", "--device", "cpu")
    name = json.loads(command("train", *options)[1])["run"]
    assert [one["name"] for one in json.loads(command("runs", "--json")[1])] == [name]
    assert "run" not in json.loads(command("train", "--no-store", *options)[1])

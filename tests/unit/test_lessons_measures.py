"""What lessons measure that no field of an experiment can exchange: other functions break the claim."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from d2ltui.data import Dataset
from d2ltui.lessons import LESSONS, Bench
from d2ltui.lessons.book import minibatch_noise
from d2ltui.lessons.measured import Measured


@pytest.fixture(autouse=True)
def _embedded_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("D2LTUI_DATA_DIR", raising=False)


def bench(name: str, **fields: object) -> Bench:
    return Bench(LESSONS[name], seeds=1, given={e.role: fields for e in LESSONS[name].experiments})


def broken(measured: Measured) -> list[str]:
    return [figure.what for figure in measured.figures if not figure.holds]


def of_one_class(data: Dataset, size: int, generator: Generator) -> Tensor:
    """Batches that are no fair sample: more of the same does not bring them nearer to all."""
    of_it = (data.y_train == 3).nonzero()[:, 0]
    return of_it[torch.randperm(len(of_it), generator=generator)[:size]]


def test_batches_of_one_class_do_not_come_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minibatch_noise, "BATCHES", 8)
    found = minibatch_noise.minibatch_noise(bench("minibatch-noise", epochs=1), draw=of_one_class)
    assert len(broken(found)) == 3


def test_noise_that_falls_by_another_power_is_told_from_the_law() -> None:
    sizes = minibatch_noise.SIZES
    for power in (-0.5, -1.0, 0.0):
        assert minibatch_noise._power({n: 7.0 * n**power for n in sizes}) == pytest.approx(power)

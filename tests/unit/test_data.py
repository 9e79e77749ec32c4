"""Every data set that needs no network: what the catalogue says is what is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from d2ltui import data
from d2ltui.data import Dataset
from d2ltui.spec.catalogue import DATASETS
from d2ltui.spec.config import resolve

EMBEDDED = [name for name, info in DATASETS.items() if info.embedded]


def load(name: str, seed: int = 0) -> Dataset:
    return data.load(resolve({"dataset": name, "seed": seed}))


def check_against_the_catalogue(dataset: Dataset) -> None:
    info = dataset.info
    assert dataset.x_train.shape == (info.train_size, info.num_inputs)
    assert dataset.x_val.shape == (info.val_size, info.num_inputs)
    for x in (dataset.x_train, dataset.x_val):
        assert x.dtype == torch.float32
        assert x.is_contiguous()
        assert x.isfinite().all()
    for y, size in ((dataset.y_train, info.train_size), (dataset.y_val, info.val_size)):
        if info.task == "classification":
            assert y.shape == (size,)
            assert y.dtype == torch.int64
            assert y.unique().tolist() == list(range(info.num_outputs))
            assert len(info.classes) == info.num_outputs
        else:
            assert y.shape == (size, 1)
            assert y.dtype == torch.float32
    if info.normalisation.startswith(("each input", "inputs")):
        standardised = [dataset.x_train] + ([dataset.y_train] if info.task == "regression" else [])
        for values in standardised:
            torch.testing.assert_close(values.mean(0), torch.zeros(values.shape[1]), rtol=0, atol=1e-5)
            sd = values.std(0, correction=0)
            torch.testing.assert_close(sd, torch.ones(values.shape[1]), rtol=0, atol=1e-5)
    elif info.normalisation.startswith("pixels"):
        assert dataset.x_train.min() == 0.0
        assert dataset.x_train.max() == 1.0
    else:
        assert info.normalisation == "none"


@pytest.mark.parametrize("name", EMBEDDED)
def test_what_is_loaded_is_what_the_catalogue_says(name: str) -> None:
    dataset = load(name)
    assert dataset.info == DATASETS[name]
    check_against_the_catalogue(dataset)


def test_fashion_mnist_is_what_the_catalogue_says(data_dir: Path) -> None:
    dataset = data.load(resolve({"dataset": "fashion-mnist", "data_dir": str(data_dir)}))
    check_against_the_catalogue(dataset)
    assert dataset.y_train.bincount().tolist() == [6000] * 10
    assert dataset.y_val.bincount().tolist() == [1000] * 10
    # The mean and sd of its pixels that everybody quotes.
    assert dataset.x_train.mean().item() == pytest.approx(0.2860, abs=1e-4)
    assert dataset.x_train.std().item() == pytest.approx(0.3530, abs=1e-4)


def test_synthetic_linear_is_the_books() -> None:
    dataset = load("synthetic-linear")
    assert dataset.truth is not None
    w, b = dataset.truth
    assert w.shape == (2, 1)
    torch.testing.assert_close(w.flatten(), torch.tensor([2.0, -3.4]))
    torch.testing.assert_close(b, torch.tensor([4.2]))
    x, y = torch.cat([dataset.x_train, dataset.x_val]), torch.cat([dataset.y_train, dataset.y_val])
    noise = y - (x @ w + b)
    assert noise.std().item() == pytest.approx(0.01, rel=0.1)
    assert abs(noise.mean().item()) < 0.001
    assert x.mean().item() == pytest.approx(0.0, abs=0.08)
    assert x.std().item() == pytest.approx(1.0, abs=0.06)
    solution = torch.linalg.lstsq(torch.cat([x, torch.ones(len(x), 1)], dim=1), y).solution.flatten()
    torch.testing.assert_close(solution, torch.tensor([2.0, -3.4, 4.2]), rtol=0, atol=0.002)


@pytest.mark.parametrize("name", EMBEDDED)
def test_a_seed_decides_synthetic_data_and_leaves_real_data_alone(name: str) -> None:
    first, same, other = load(name, 1), load(name, 1), load(name, 2)
    assert torch.equal(first.x_train, same.x_train)
    assert torch.equal(first.y_val, same.y_val)
    assert torch.equal(first.x_train, other.x_train) == (DATASETS[name].origin != "synthetic")


def test_real_data_keeps_the_proportions_of_its_classes_and_shares_no_sample() -> None:
    dataset = load("digits")
    expected = dataset.y_train.bincount().double() / 1437
    measured = dataset.y_val.bincount().double() / 360
    torch.testing.assert_close(measured, expected, rtol=0, atol=0.005)
    rows = {tuple(row) for row in dataset.x_train.tolist()}
    assert not any(tuple(row) for row in dataset.x_val.tolist() if tuple(row) in rows)


def test_digits_are_read_once_and_what_a_run_does_to_its_own_changes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    first = data.load(resolve({"dataset": "digits"}))
    x, y = first.x_train.clone(), first.y_train.clone()
    monkeypatch.setattr("sklearn.datasets.load_digits", None)
    for part in (first.x_train, first.y_train, first.x_val, first.y_val):
        part.zero_()
    again = data.load(resolve({"dataset": "digits"}))
    assert torch.equal(again.x_train, x)
    assert torch.equal(again.y_train, y)


def test_standardising_uses_the_training_part_alone() -> None:
    dataset = load("diabetes")
    assert dataset.x_val.mean(0).abs().max() > 0.01
    everything = torch.cat([dataset.x_train, dataset.x_val])
    assert everything.mean(0).abs().max() > 1e-3


def test_moons_and_circles_are_named_as_they_lie() -> None:
    moons = load("moons")
    height = [moons.x_train[moons.y_train == label, 1].mean().item() for label in (0, 1)]
    assert moons.info.classes == ("upper", "lower")
    assert height[0] > height[1]
    circles = load("circles")
    radius = [circles.x_train[circles.y_train == label].norm(dim=1).mean().item() for label in (0, 1)]
    assert circles.info.classes == ("outer", "inner")
    assert radius[0] > 1.5 * radius[1]


def test_loading_says_what_it_loads() -> None:
    messages: list[tuple[str, float | None]] = []
    data.load(resolve({"dataset": "digits"}), lambda message, fraction: messages.append((message, fraction)))
    assert messages == [("digits: loading", None)]

"""Noise, number of samples, share of validation, factor and turns: from where they are given to the data."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from d2ltui.code.data import data_of
from d2ltui.data import Dataset, load
from d2ltui.data.tabular import CURVES
from d2ltui.diagnosis.remedies import good_init
from d2ltui.nn.seeds import derive_seed
from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.config_file import from_toml, to_toml
from d2ltui.spec.datasets import DATA_FIELDS, DATASET_SOURCES
from d2ltui.spec.header import header_of
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.synthetic import FUNCTIONS, LEAST_SAMPLES, parts
from d2ltui.spec.versions import differing_fields, plain_config, read_config
from d2ltui.tui.form_state import FormState

SYNTHETIC = [name for name, source in DATASET_SOURCES.items() if source.fields]
OTHERS: dict[str, object] = {
    "function": "step", "noise": 0.3, "samples": 60, "val_fraction": 0.25, "factor": 0.75, "turns": 2.0,
}  # fmt: skip


def run_on(dataset: str, **given: object) -> RunConfig:
    model = "linear" if dataset in ("synthetic-linear", "function") else "softmax"
    return resolve({"model": model, "dataset": dataset, **given})


def others_of(dataset: str) -> RunConfig:
    return run_on(dataset, **{name: OTHERS[name] for name in DATASET_SOURCES[dataset].fields})


def problems(**given: object) -> dict[str, str]:
    with pytest.raises(ConfigError) as error:
        resolve(given)
    return {problem.field: problem.message for problem in error.value.problems}


def everything(data: Dataset) -> torch.Tensor:
    return torch.cat((data.x_train, data.x_val))


def test_each_data_set_has_the_fields_that_it_has_a_use_for() -> None:
    assert {name: tuple(DATASET_SOURCES[name].fields) for name in SYNTHETIC} == {
        "synthetic-linear": ("noise", "samples", "val_fraction"),
        "function": ("function", "noise", "samples", "val_fraction"),
        "moons": ("noise", "samples", "val_fraction"),
        "circles": ("noise", "samples", "val_fraction", "factor"),
        "spirals": ("noise", "samples", "val_fraction", "turns"),
    }
    assert "with dataset circles" in problems(dataset="moons", factor=0.3)["factor"]
    assert "dataset digits has no noise" in problems(dataset="digits", noise=0.1)["noise"]


@pytest.mark.parametrize("dataset", SYNTHETIC)
def test_the_fields_decide_the_data_and_what_is_said_of_it(dataset: str) -> None:
    usual, other = run_on(dataset), others_of(dataset)
    data = load(other)
    assert (len(data.x_train), len(data.x_val)) == (45, 15)
    assert "0.3" in data.info.description
    assert data.info.description != usual.dataset_info.description
    assert other.batch_size == min(32, 45)
    again = load(run_on(dataset, **{name: DATASET_SOURCES[dataset].fields[name] for name in usual_fields(dataset)}))
    assert torch.equal(everything(again), everything(load(usual)))  # the defaults are the defaults


def usual_fields(dataset: str) -> list[str]:
    return list(DATASET_SOURCES[dataset].fields)


def test_without_noise_the_shapes_are_what_they_are_called() -> None:
    # Standardised data have lost their radius, but circles keep the ratio of theirs.
    circles = load(run_on("circles", noise=0, factor=0.25, samples=200))
    radii, labels = everything(circles).norm(dim=1), torch.cat((circles.y_train, circles.y_val))
    assert float(radii[labels == 1].mean() / radii[labels == 0].mean()) == pytest.approx(0.25, rel=0.05)
    # An arm of no turn is a straight line from the centre: its points have one direction each.
    data = load(run_on("spirals", noise=0, turns=0, samples=300))
    of_arm = data.x_train[data.y_train == 0].numpy()
    steps = of_arm - of_arm[0]
    ranks = np.linalg.svd(steps, compute_uv=False)
    assert ranks[1] < 1e-4 * ranks[0]
    linear = load(run_on("synthetic-linear", noise=0))
    assert linear.truth is not None
    w, b = linear.truth
    assert torch.allclose(linear.x_train @ w + b, linear.y_train)


@pytest.mark.parametrize("dataset", SYNTHETIC)
def test_a_script_makes_the_same_data(dataset: str) -> None:
    config = others_of(dataset)
    made = data_of(config, derive_seed(config.seed, "data"))
    scope: dict[str, torch.Tensor] = {}
    text = made.text if "\n        " not in made.text else "\n".join(line[8:] for line in made.text.splitlines())
    exec("\n".join(("import math, torch", *made.imports, text)), scope)
    data = load(config)
    for name, tensor in (("X_train", data.x_train), ("X_val", data.x_val), ("y_train", data.y_train)):
        assert torch.equal(scope[name].reshape(tensor.shape), tensor)


@pytest.mark.parametrize("dataset", [name for name in SYNTHETIC if name != "function"])  # which came with its fields
def test_a_run_that_was_stored_before_there_were_fields_is_the_same(dataset: str) -> None:
    usual = run_on(dataset)
    stored = {name: value for name, value in plain_config(usual).items() if name not in DATA_FIELDS}
    found = read_config(stored)
    assert found == usual
    assert torch.equal(everything(load(found)), everything(load(usual)))


def test_real_data_have_none_of_them_in_any_file() -> None:
    config = resolve({"dataset": "digits"})
    assert not set(DATA_FIELDS) & header_of(config).params.keys()
    assert not any(name in to_toml(config) for name in DATA_FIELDS)


def test_they_are_part_of_a_runs_header_its_file_and_what_two_runs_differ_in() -> None:
    config = others_of("circles")
    assert header_of(config).params["factor"] == 0.75
    assert resolve(from_toml(to_toml(config), "a file")) == config
    assert differing_fields(config, run_on("circles", noise=0.3, samples=60, val_fraction=0.25)) == ["factor"]
    assert differing_fields(run_on("moons"), run_on("moons", noise=0)) == ["noise"]


@pytest.mark.parametrize("samples", [20, 21, 30, 33, 999])
def test_each_part_has_samples_enough(samples: int) -> None:
    said = problems(dataset="spirals", samples=samples, val_fraction=0.99)["val_fraction"]
    for fraction in said.rpartition("samples, ")[2].split(" to "):
        config = resolve({"dataset": "spirals", "samples": samples, "val_fraction": fraction})
        assert min(config.dataset_info.train_size, config.dataset_info.val_size) >= LEAST_SAMPLES
    assert sum(parts(samples, 0.5)) == samples


def test_batches_fit_the_samples() -> None:
    assert resolve({"dataset": "moons", "samples": 20, "val_fraction": 0.5}).batch_size == 10
    assert "1 to 10" in problems(dataset="moons", samples=20, val_fraction=0.5, batch_size=16)["batch_size"]


def test_wrong_values_are_told_in_words() -> None:
    assert problems(dataset="moons", noise=-1)["noise"].endswith("allowed: a finite number from 0 to 1000")
    assert "a whole number from 20" in problems(dataset="moons", samples=3)["samples"]
    assert "less than 1" in problems(dataset="circles", factor=1)["factor"]
    assert "0 to 100" in problems(dataset="spirals", turns=math.inf)["turns"]


def test_the_form_shows_them_where_they_are_of_use() -> None:
    form = FormState(resolve({"model": "mlp", "dataset": "circles"}))
    assert [name for name in form.visible() if name in DATA_FIELDS] == ["noise", "samples", "val_fraction", "factor"]
    form.set("samples", "30")
    form.set("val_fraction", "0.5")
    assert form["batch_size"] == "15"  # as many as there are
    assert form.resolve().dataset_info.train_size == 15
    form.set("samples", "")
    assert "samples" in form.problems()
    form.set("dataset", "digits")
    assert not set(form.visible()) & set(DATA_FIELDS)
    assert form.resolve() == resolve({"model": "mlp", "dataset": "digits"})
    form.set("dataset", "spirals")
    assert form["turns"] == "1"


def test_a_stored_choice_of_another_version_has_the_usual_ones() -> None:
    assert {name: catalogue.BASE[name] for name in DATA_FIELDS} == {
        name: plain_config(resolve({"dataset": "digits"}))[name] for name in DATA_FIELDS
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_makes_the_labels_that_are_told(name: str) -> None:
    data = load(resolve({"dataset": "function", "function": name, "noise": 0}))
    _, code = FUNCTIONS[name]
    assert data.curve is CURVES[name]
    for x, y in ((data.x_train, data.y_train), (data.x_val, data.y_val)):
        torch.testing.assert_close(y, eval(code, {"torch": torch, "x": x}), rtol=0, atol=0)
        assert -3 <= float(x.min()) < -2.8 < 2.8 < float(x.max()) <= 3
    assert set(CURVES) == set(FUNCTIONS)


def test_the_noise_is_beside_the_function() -> None:
    data = load(resolve({"dataset": "function", "noise": 0.5, "samples": 4000}))
    assert data.curve is not None
    assert float((data.y_train - data.curve(data.x_train)).std()) == pytest.approx(0.5, rel=0.05)


def test_a_perceptron_that_fits_a_function_starts_with_what_suits_a_squared_error() -> None:
    assert resolve({"dataset": "function"}).model == "mlp"
    rates = {activation: resolve({"dataset": "function", "activation": activation}).lr for activation in ACTIVATIONS}
    assert set(rates.values()) == {0.03}  # the sigmoid's usual one would diverge
    assert good_init(resolve({"dataset": "function"})) == "xavier"
    assert good_init(resolve({"dataset": "moons"})) == "kaiming"


def test_the_one_share_that_is_left_is_told_as_one() -> None:
    with pytest.raises(ConfigError, match=r"allowed: with 20 samples, 0\.5$"):
        resolve({"dataset": "circles", "samples": 20, "val_fraction": 0.05})

"""The tables of what there is, and the plan of layers."""

from __future__ import annotations

import inspect
import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.catalogue import DATASETS, defaults, layer_plan
from d2ltui.spec.config import resolve
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.models import MODELS
from d2ltui.spec.optimizers import OPTIMIZERS
from d2ltui.spec.parsing import ConfigError

PAIRS = [(model, dataset) for model in MODELS for dataset in catalogue.datasets_for(model)]


@pytest.mark.parametrize(("model", "dataset"), PAIRS)
def test_every_default_is_allowed(model: str, dataset: str) -> None:
    config = resolve({"model": model, "dataset": dataset})
    values = defaults(model, dataset)
    assert {name: getattr(config, name) for name in values} == values
    assert set(values) == set(FIELDS)


def test_the_books_settings_are_the_defaults() -> None:
    linear = defaults("linear", "synthetic-linear")
    assert (linear["lr"], linear["batch_size"], linear["epochs"]) == (0.03, 32, 3)
    for model in ("softmax", "mlp"):
        fashion = defaults(model, "fashion-mnist")
        assert (fashion["lr"], fashion["batch_size"], fashion["epochs"]) == (0.1, 256, 10)
    assert defaults("mlp", "fashion-mnist")["hidden"] == (256,)
    assert defaults("mlp", "fashion-mnist")["activation"] == "relu"


@pytest.mark.parametrize(("model", "dataset"), PAIRS)
def test_the_default_learning_rate_belongs_to_the_optimiser(model: str, dataset: str) -> None:
    def rate(**given: object) -> float:
        return resolve({"model": model, "dataset": dataset, **given}).lr

    rates = {optimizer: rate(optimizer=optimizer) for optimizer in OPTIMIZERS}
    assert rate() == rates["sgd"]
    assert rates["momentum"] == pytest.approx(rates["sgd"] / 10)
    for optimizer, expected in rates.items():
        assert defaults(model, dataset, optimizer)["lr"] == expected
        assert rate(optimizer=optimizer, lr=0.77) == 0.77
        if model == "mlp":
            assert rate(optimizer=optimizer, activation="tanh") == expected
            assert rate(optimizer=optimizer, activation="sigmoid") >= expected
    assert rate(implementation="scratch") == rates["sgd"]


def test_what_is_said_of_pytorchs_learning_rates_is_true() -> None:
    """Beside the table of rates, in a comment."""

    def theirs(optimizer: type) -> object:
        return inspect.signature(optimizer).parameters["lr"].default

    on_digits = {name: defaults("mlp", "digits", name)["lr"] for name in OPTIMIZERS}
    assert (theirs(torch.optim.Adam), on_digits["adam"]) == (0.001, 0.001)
    assert (theirs(torch.optim.RMSprop), on_digits["rmsprop"]) == (0.01, 0.001)
    assert (theirs(torch.optim.Adagrad), on_digits["adagrad"]) == (0.01, 0.01)


@pytest.mark.parametrize("name", DATASETS)
def test_a_data_set_is_whole(name: str) -> None:
    info = DATASETS[name]
    assert info.name == name
    assert name in catalogue.datasets_for(catalogue.default_model(name))
    assert info.embedded == (info.origin != "torchvision")
    if info.task == "classification":
        assert len(info.classes) == info.num_outputs
    else:
        assert info.num_outputs == 1


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_whole(name: str) -> None:
    info = MODELS[name]
    assert info.name == name
    assert set(info.fields) <= set(FIELDS)
    assert info.default_dataset in catalogue.datasets_for(name)
    embedded = [dataset for dataset in catalogue.datasets_for(name) if DATASETS[dataset].embedded]
    assert info.default_dataset in embedded or not embedded  # no download where there is a choice


@given(
    dataset=st.sampled_from(catalogue.datasets_for("mlp")),
    hidden=st.lists(st.integers(1, 4096), min_size=1, max_size=12),
    activation=st.sampled_from(list(ACTIVATIONS)),
    dropout=st.sampled_from([0.0, 0.5]),
)
def test_the_plan_of_an_mlp_counts_what_the_formula_counts(
    dataset: str, hidden: list[int], activation: str, dropout: float
) -> None:
    config = resolve(
        {"model": "mlp", "dataset": dataset, "hidden": hidden, "activation": activation, "dropout": dropout}
    )
    plan = layer_plan(config)
    info = DATASETS[dataset]
    widths = [info.num_inputs, *hidden, info.num_outputs]
    assert sum(layer.parameters for layer in plan) == sum(
        n_in * n_out + n_out for n_in, n_out in itertools.pairwise(widths)
    )
    assert [layer.index for layer in plan] == list(range(1, len(plan) + 1))
    for before, after in itertools.pairwise(plan):
        assert before.num_outputs == after.num_inputs
    per_hidden = 1 + (activation != "identity") + (dropout > 0)
    assert len(plan) == per_hidden * len(hidden) + 1
    assert plan[-1].kind == "linear"


def test_the_plan_as_a_learner_reads_it() -> None:
    config = resolve({"model": "mlp", "dataset": "fashion-mnist", "hidden": "256,128", "dropout": 0.5})
    assert [layer.title for layer in layer_plan(config)] == [
        "Linear 784→256",
        "ReLU",
        "Dropout 0.5",
        "Linear 256→128",
        "ReLU",
        "Dropout 0.5",
        "Linear 128→10",
    ]
    assert sum(layer.parameters for layer in layer_plan(resolve({"model": "softmax", "dataset": "digits"}))) == 650


def test_models_without_hidden_layers_ignore_them() -> None:
    assert [layer.title for layer in layer_plan(resolve({"model": "linear"}))] == ["Linear 2→1"]


def test_a_field_for_one_task_has_a_use_with_its_data_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with_classes = {name for name, info in catalogue.DATASETS.items() if info.classes}
    assert set(catalogue.values_with("label_smoothing")) == with_classes
    monkeypatch.setitem(catalogue.ONLY_FOR, "clip_norm", "regression")
    monkeypatch.setitem(catalogue.ONLY_WITH, "clip_norm", "dataset")
    assert set(catalogue.values_with("clip_norm")) == set(catalogue.DATASETS) - with_classes, "whichever field it is"
    with pytest.raises(ConfigError, match="clip_norm: 1 is not allowed"):
        resolve({"model": "softmax", "dataset": "moons", "clip_norm": 1})

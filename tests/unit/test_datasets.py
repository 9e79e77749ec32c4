"""Data sets as objects: what a run's parameters decide, and what is said of one that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import torch
from runs import run

from d2ltui import data
from d2ltui.data import DataError, Dataset
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.datasets import DATASET_SOURCES, DATASETS, DatasetInfo, DatasetSource, DescriptionError, Params
from d2ltui.spec.header import header_of
from d2ltui.spec.parsing import ConfigError
from d2ltui.tui.form_state import FormState
from d2ltui.tui.widgets.setup import describe_data, describe_network

INFO = DatasetInfo(
    name="stairs",
    title="stairs",
    task="classification",
    origin="synthetic",
    input_shape=(4,),
    num_outputs=2,
    train_size=100,
    val_size=50,
    normalisation="none",
    description="as many hundred samples, of as many inputs, as the seed says",
    classes=("low", "high"),
)


def sized(params: Params) -> DatasetInfo:
    seed = params["seed"]
    if seed > 9:
        raise ValueError(f"seed: {seed} is not allowed; allowed: 0 to 9")
    return msgspec.structs.replace(INFO, train_size=100 * (seed + 1), input_shape=(seed + 1, 2))


def load(info: DatasetInfo, params: Params, progress: Any, cancelled: Any) -> Dataset:
    generator = torch.Generator().manual_seed(params["seed"])
    parts = []
    for size in (info.train_size, info.val_size):
        x = torch.randn(size, info.num_inputs, generator=generator)
        parts += [x, (x[:, 0] > 0).long()]
    return Dataset(info, *parts)


@pytest.fixture
def stairs() -> Iterator[DatasetSource]:
    yield DATASET_SOURCES.register(DatasetSource(INFO, f"{__name__}:load", sized))
    DATASET_SOURCES.forget("stairs")


def stairs_run(seed: int) -> RunConfig:
    return resolve({"dataset": "stairs", "seed": seed, "batch_size": 50, "epochs": 2, "hidden": 8, "device": "cpu"})


@pytest.mark.parametrize(("seed", "steps"), [(0, 2), (3, 8)])
def test_size_and_shape_may_depend_on_the_parameters(stairs: DatasetSource, seed: int, steps: int) -> None:
    config = stairs_run(seed)
    samples, inputs = 100 * (seed + 1), 2 * (seed + 1)
    assert config.dataset_info.train_size == samples
    assert header_of(config).steps_per_epoch == steps
    assert header_of(config).total_steps == 2 * steps
    assert catalogue.layer_plan(config)[0].title == f"Linear {inputs}→8"
    assert f"{samples} train + 50 validation\n{seed + 1}×2 inputs" in describe_data(config)
    assert f"Linear {inputs}→8" in describe_network(config)
    _, tape = run(config)
    (started,) = tape.of(events.RunStarted)
    assert (started.num_train, started.steps_per_epoch, started.layers[0].num_inputs) == (samples, steps, inputs)
    assert tape.ended.status == "finished"


def test_what_is_wrong_with_the_parameters_is_told_in_one_sentence(stairs: DatasetSource) -> None:
    with pytest.raises(ConfigError) as caught:
        stairs_run(10)
    (problem,) = caught.value.problems
    assert problem.message == "dataset: 'stairs' is not allowed here; seed: 10 is not allowed; allowed: 0 to 9"
    with pytest.raises(ConfigError, match="allowed: 1 to 200, the training samples of stairs"):
        resolve({"dataset": "stairs", "seed": 1, "batch_size": 201})
    form = FormState(stairs_run(1))
    form.set("seed", "10")
    assert form.problems() == {"dataset": problem.message}
    # A run that an earlier version of it has made.
    header = header_of(msgspec.structs.replace(stairs_run(1), seed=10))
    assert (header.steps_per_epoch, header.epochs) == (None, 2)


def test_a_description_is_of_the_same_data_set() -> None:
    other = DatasetSource(INFO, "x:y", lambda params: msgspec.structs.replace(INFO, name="ladder"))
    with pytest.raises(DescriptionError, match="'stairs' describes itself as ladder"):
        other.describe({"seed": 1})
    assert other.describe() is INFO


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"train_size": 0}, "train_size: 0 is not allowed"),
        ({"input_shape": ()}, r"input_shape: \(\) is not allowed"),
        ({"input_shape": (3, 0)}, "input_shape"),
        ({"task": "regression"}, "num_outputs: 2 is not allowed; allowed: 1"),
        ({"description": "two\nlines"}, "description: .* is not a line of text"),
        ({"title": "\x1b[2J"}, "title"),
        ({"name": "my stairs"}, "name: 'my stairs' is not allowed"),
        ({"name": "own/stairs"}, "name"),
        ({"name": "größe"}, "name"),
        ({"classes": ("up", "\x1b]0;down\x07")}, "classes: .* is not a line of text"),
        ({"task": "clustering"}, "Invalid enum value 'clustering'"),
    ],
)
def test_an_impossible_data_set_is_not_registered(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DATASET_SOURCES.register(DatasetSource(msgspec.structs.replace(INFO, **changed), "x:y"))
    assert "stairs" not in DATASETS


X, Y = torch.zeros(100, 4), torch.zeros(100, dtype=torch.int64)
WRONG = {
    "nothing": (None, "its loader returns a NoneType and not a Dataset"),
    "shape": (
        Dataset(INFO, X[:, :3], Y, X[:50], Y[:50]),
        "its x_train is (100, 3) float32 instead of (100, 4) float32",
    ),
    "kind": (Dataset(INFO, X, Y, X[:50], Y[:50].float()), "its y_val is (50,) float32 instead of (50,) int64"),
    "labels": (Dataset(INFO, X, Y + 2, X[:50], Y[:50]), "its y_train has labels that are not from 0 to 1"),
    "arrays": (Dataset(INFO, X.numpy(), Y, X, Y), "its x_train is a ndarray and not a tensor"),  # type: ignore[arg-type]
    "failing": (ZeroDivisionError("no stairs"), "cannot be loaded (ZeroDivisionError: no stairs)"),
}


def load_wrongly(info: DatasetInfo, params: Params, progress: Any, cancelled: Any) -> Any:
    progress("stairs: half way", 0.5)
    result = WRONG[list(WRONG)[params["seed"]]][0]
    if isinstance(result, Exception):
        raise result
    return result


@pytest.mark.parametrize("case", WRONG)
def test_a_loader_that_is_wrong_ends_the_run_with_a_sentence(case: str) -> None:
    DATASET_SOURCES.register(DatasetSource(INFO, f"{__name__}:load_wrongly"))
    try:
        config = resolve({"dataset": "stairs", "seed": list(WRONG).index(case), "device": "cpu"})
        with pytest.raises(DataError) as caught:
            data.load(config)
        assert str(caught.value) == f"stairs: {WRONG[case][1]}"
        _, tape = run(config)
        assert (tape.ended.status, tape.ended.message) == ("failed", f"stairs: {WRONG[case][1]}")
    finally:
        DATASET_SOURCES.forget("stairs")


def test_a_loader_that_is_missing_is_named() -> None:
    DATASET_SOURCES.register(DatasetSource(INFO, "no_such_module:load"))
    try:
        with pytest.raises(DataError, match=r"^stairs: cannot be loaded \(ModuleNotFoundError: No module named"):
            data.load(resolve({"dataset": "stairs"}))
    finally:
        DATASET_SOURCES.forget("stairs")


@pytest.mark.parametrize(
    ("samples", "batch", "epochs"), [(5, 5, 200), (500, 32, 157), (9999, 32, 10), (10_000, 256, 10)]
)
def test_a_data_set_without_defaults_gets_steps_enough(samples: int, batch: int, epochs: int) -> None:
    info = msgspec.structs.replace(INFO, train_size=samples)
    DATASET_SOURCES.register(DatasetSource(info, "x:y"))
    try:
        config = resolve({"dataset": "stairs"})
        assert (config.model, config.batch_size, config.epochs, config.lr) == ("mlp", batch, epochs, 0.1)
    finally:
        DATASET_SOURCES.forget("stairs")


@pytest.mark.parametrize(("inputs", "lr"), [(2, 0.03), (99, 0.01), (1000, 0.001)])
def test_linear_regression_on_many_inputs_has_a_rate_that_does_not_diverge(inputs: int, lr: float) -> None:
    info = msgspec.structs.replace(INFO, task="regression", num_outputs=1, classes=(), input_shape=(inputs,))
    DATASET_SOURCES.register(DatasetSource(info, "x:y"))
    try:
        config = resolve({"dataset": "stairs"})
        assert (config.model, config.lr) == ("linear", lr)
    finally:
        DATASET_SOURCES.forget("stairs")


def test_softmax_regression_on_pictures_in_colour_has_a_rate_that_does_not_swing() -> None:
    assert resolve({"model": "softmax", "dataset": "cifar10"}).lr == 0.01
    assert resolve({"model": "softmax", "dataset": "kmnist"}).lr == 0.1
    assert resolve({"model": "mlp", "dataset": "cifar10"}).lr == 0.1

"""The doctor bears whatever a run may have been, and says nothing that is not so."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from d2ltui.data import Dataset, load
from d2ltui.diagnosis.remedies import regularise
from d2ltui.engine import checkpoint as checkpoints
from d2ltui.engine.checkpoint import Checkpoint
from d2ltui.engine.control import Control
from d2ltui.engine.doctor import examine
from d2ltui.engine.patient import Patient
from d2ltui.engine.trainer import Trainer
from d2ltui.history.epochs import Epochs
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.events import EpochEnded
from tests.selection import long_after

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
    "given",
    long_after(1, [MOONS, {**SMALL, "model": "linear"}, {**SMALL, "model": "softmax", "dataset": "moons"}]),
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


def test_a_network_that_has_learned_little_is_not_called_well() -> None:
    """Four turns are too many for it in this time: it is hardly above a guess, and no usual change helps."""
    config = resolve({**SMALL, "dataset": "spirals", "turns": 4.0, "hidden": "16,16", "epochs": 20})
    ended, found = told(config, data_of(config))
    accuracy = ended.summary["val_accuracy"]
    assert isinstance(accuracy, float)
    assert 0.4 < accuracy < 0.53
    assert (found[0].rule, found[0].severity) == ("not-learning", "warning")
    assert found[0].what.startswith("The network has learned little: validation accuracy 0.4")


@pytest.mark.parametrize("samples", [60, 1000])
def test_labels_are_called_random_only_where_that_can_be_known(samples: int) -> None:
    """Of 48 noisy samples, 69 % have the label of their neighbour: that is within three errors of chance."""
    few: dict[str, Any] = {"samples": samples, "noise": 0.5, "hidden": "256", "optimizer": "adam", "lr": 0.01}
    config = resolve({**MOONS, **few, "epochs": 150 if samples == 60 else 40})
    data = data_of(config)
    if samples == 1000:
        order = torch.randperm(800, generator=torch.Generator().manual_seed(0))
        data = dataclasses.replace(data, y_train=data.y_train[order])
    _, found = told(config, data)
    assert found[0].rule == ("overfitting" if samples == 60 else "labels-random")


def test_labels_of_inputs_far_from_0_are_not_called_random() -> None:
    generator = torch.Generator().manual_seed(0)
    config, parts = resolve({**MOONS, "epochs": 10}), {}
    for part, number in (("train", 800), ("val", 200)):
        y = torch.randint(0, 2, (number,), generator=generator)
        x = torch.randn(number, 2, generator=generator) + 10.0 * y[:, None]
        parts |= {f"x_{part}": x + torch.tensor([1e5, 0.0]), f"y_{part}": y}
    _, found = told(config, dataclasses.replace(data_of(config), **parts))
    assert found[0].rule != "labels-random"


def test_noisy_labels_of_which_something_is_learned_are_not_called_random() -> None:
    """A neighbour's label tells next to nothing there; 0.44 of 600 samples are five errors above a guess."""
    noisy: dict[str, Any] = {"dataset": "spirals", "noise": 0.4, "epochs": 40}
    config = resolve({**SMALL, "model": "mlp", **noisy})
    ended, found = told(config, data_of(config))
    accuracy = ended.summary["val_accuracy"]
    assert isinstance(accuracy, float)
    assert accuracy > 1 / 3 + 5 * math.sqrt(2 / 9 / 600)
    assert found[0].rule != "labels-random"


def test_who_is_far_ahead_on_the_training_part_overfits_and_has_not_learned_little() -> None:
    """0.85 in training and 0.32, or what a guess has, in validation: no more epochs are proposed."""
    config = resolve({**SMALL, "model": "mlp", "dataset": "digits", "epochs": 10})
    data = data_of(config)
    for val in (0.32, 0.12):
        epochs = [EpochEnded(i, i * 10, 2 - 0.15 * i, 2.3, 0.1 + 0.075 * i, val, 0.0) for i in range(1, 11)]
        patient = Patient(config, data, Epochs.of(epochs), False, 100, ())
        for trial in (None, lambda config, data, epochs=epochs: epochs[-1:]):
            first, *_ = examine(patient, trial, lambda *_: None).findings
            assert (first.rule, first.severity) == ("overfitting", "warning")
            assert f"0.85 in training and {val}" in first.what


def test_what_was_tried_in_vain_is_what_is_told() -> None:
    """Of softmax regression no initialisation, activation or width."""
    config = resolve({**SMALL, "model": "softmax", "dataset": "digits", "epochs": 10})
    epochs = [EpochEnded(i, i * 10, 2.3, 2.3, 0.25, 0.25, 0.0) for i in range(1, 11)]
    patient = Patient(config, data_of(config), Epochs.of(epochs), False, 100, ())
    tried: list[RunConfig] = []
    first, *_ = examine(patient, lambda config, data: tried.append(config) or epochs[-1:], lambda *_: None).findings
    assert first.what.startswith("The network has learned little")
    assert first.why == "model and lr: other values were tried, and none helps much."
    assert {(other.lr != config.lr, other.model != config.model) for other in tried} == {(True, False), (False, True)}


def test_of_noise_that_was_asked_for_is_less_proposed() -> None:
    config = resolve({**SMALL, "model": "mlp", "dataset": "circles", "noise": 2.0, "epochs": 20})
    _, found = told(config, data_of(config))
    assert (found[0].rule, found[0].remedy) == ("labels-random", {"noise": 0.08})
    assert found[0].try_ == "Train with noise 0.08: so much noise hides what they have to do with each other."


SPOILED: list[tuple[dict[str, Any], str, dict[str, object]]] = [
    ({"model": "softmax", "dataset": "digits", "lr": 1000.0, "epochs": 30}, "learning-rate-high", {"lr": 0.1}),
    ({**MOONS, "hidden": "32", "optimizer": "momentum", "momentum": 0.9999, "epochs": 50}, "learning-rate-high",
     {"momentum": 0.9}),
    ({"dataset": "moons", "label_smoothing": 0.98, "epochs": 50}, "over-regularised", {"label_smoothing": 0.0}),
    ({"dataset": "spirals", "activation": "tanh", "init": "normal", "init_std": 10.0, "epochs": 200},
     "initialisation", {"init": "xavier"}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "rule", "remedy"), long_after(3, SPOILED))
def test_a_setting_that_spoils_the_loss_is_named_though_the_accuracy_is_well(
    given: dict[str, Any], rule: str, remedy: dict[str, object]
) -> None:
    config = resolve({**SMALL, **given})
    ended, found = told(config, data_of(config))
    accuracy = ended.summary["val_accuracy"]
    assert isinstance(accuracy, float)
    assert accuracy > 0.9
    assert (found[0].rule, found[0].severity, found[0].remedy) == (rule, "warning", remedy)
    assert "though the accuracy is" in found[0].what
    assert [other.remedy for other in found[1:]] == [{}] * len(found[1:]), "what follows has no remedy of its own"


def test_no_weight_decay_is_proposed_with_which_weights_would_grow() -> None:
    for lr, decay in ((0.1, 0.01), (1000.0, 1e-4)):
        config = resolve({**SMALL, "model": "softmax", "dataset": "digits", "lr": lr})
        assert regularise(config) == {"weight_decay": decay}
    assert regularise(msgspec.structs.replace(config, weight_decay=0.1)) == {"lr": 0.1}


def test_a_run_of_one_step_is_examined() -> None:
    config = resolve({**MOONS, "epochs": 1, "batch_size": 800})
    _, found = told(config, data_of(config))
    assert found[0].what.startswith("1 training step is too few")


@pytest.mark.parametrize(
    ("given", "few"),
    [
        ({"dataset": "function", "epochs": 2}, 30),  # R² .35, as of a rate that is too low
        ({"dataset": "spirals", "epochs": 2}, 76),  # nothing learned yet, and nothing else is wrong
        ({"dataset": "circles", "epochs": 1}, 25),
        ({"dataset": "function", "epochs": 5}, 75),  # R² .6
        ({"dataset": "function", "function": "waves", "epochs": 100, "seed": 1}, 1500),  # R² .3, still falling
    ],
)
def test_a_run_that_is_too_short_is_told_how_long_to_train(given: dict[str, Any], few: int) -> None:
    config = resolve({**SMALL, **given})
    _, found = told(config, data_of(config))
    assert found[0].what.startswith(f"{few:,} training steps are too few")
    assert found[0].severity == "alarm"
    longer = msgspec.structs.replace(config, epochs=found[0].remedy["epochs"])
    _, after = told(longer, data_of(config))
    assert [finding for finding in after if finding.severity != "note"] == []


def test_a_line_through_a_curve_is_too_simple() -> None:
    config = resolve({**LINEAR, "dataset": "function", "epochs": 30})
    _, found = told(config, data_of(config))
    assert (found[0].rule, found[0].remedy) == ("underfitting", {"model": "mlp"})
    for dataset in ("diabetes", "synthetic-linear"):
        well = resolve({**LINEAR, "dataset": dataset, "epochs": 60})
        assert [one.rule for one in told(well, data_of(well))[1] if one.severity != "note"] == []


def test_what_helps_a_little_is_named_where_nothing_has_been_learned() -> None:
    config = resolve({**LINEAR, "dataset": "function", "epochs": 40})

    def ended(of: RunConfig, metric: float) -> list[EpochEnded]:
        each = of.steps_per_epoch
        return [EpochEnded(n, n * each, 1.0, 1.0, metric, metric, 0.1 * n) for n in range(1, of.epochs + 1)]

    patient = Patient(config, data_of(config), Epochs.of(ended(config, 0.02)), False, config.total_steps, ())
    found = examine(
        patient, lambda of, data: ended(of, 0.19 if of.model == "mlp" else 0.01), lambda said, done: None
    ).findings
    assert (found[0].rule, found[0].remedy) == ("underfitting", {"model": "mlp"})


def test_a_curve_does_not_bend_where_classes_have_boundaries() -> None:
    for given, why in (
        ({"dataset": "function", "function": "waves", "hidden": "4"}, "Its curve cannot bend"),
        ({"dataset": "spirals", "hidden": "4"}, "It cannot draw enough boundaries"),
    ):
        config = resolve({**SMALL, **given, "epochs": 40})
        _, found = told(config, data_of(config))
        assert found[0].rule == "underfitting"
        assert found[0].why.startswith(why)


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


def test_one_class_leaves_nothing_to_learn_and_nothing_to_warn_of() -> None:
    config = resolve(MOONS)
    data = data_of(config)
    info = msgspec.structs.replace(data.info, num_outputs=1)
    ended, found = told(config, dataclasses.replace(data, info=info, y_train=data.y_train * 0, y_val=data.y_val * 0))
    assert (ended.status, ended.summary["train_loss"], ended.summary["val_accuracy"]) == ("finished", 0, 1)
    assert [finding.what for finding in found if finding.severity != "note"] == []


def test_a_run_of_no_steps_ends_as_what_it_is() -> None:
    class Stopping(Control):
        """Asked for an end when the training is to begin."""

        def __call__(self, event: events.Event) -> None:
            if isinstance(event, events.StatusChanged) and event.status == "training":
                self.stop()

    seen: list[events.Event] = []
    control = Stopping()
    config = resolve({**MOONS, "lr": 1e-9})
    ended = Trainer(config, control, [seen.append, control], diagnose=True).run()
    assert (ended.status, ended.summary["steps"]) == ("stopped", 0)
    found = [finding for event in seen if isinstance(event, events.FindingsChanged) for finding in event.findings]
    assert [finding for finding in found if finding.severity != "note"] == []


def test_a_resumed_run_has_the_diagnosis_of_one_that_was_never_interrupted(tmp_path: Path) -> None:
    config = resolve({**MOONS, "lr": 1e-6, "epochs": 4})
    data = data_of(config)
    _, whole = told(config, data)
    control, kept = Control(mode="epoch"), _Keeper()
    seen: list[events.Event] = []

    def stop_at_pause(event: events.Event) -> None:
        if isinstance(event, events.StatusChanged) and event.status == "paused":
            control.stop()

    assert Trainer(config, control, [stop_at_pause], dataset=data, keeper=kept).run().status == "stopped"
    with open(tmp_path / "checkpoint", "wb") as file:
        kept.kept[-1].write(file)
    stored = checkpoints.read(tmp_path / "checkpoint", config)
    Trainer(config, Control(), [seen.append], dataset=data, diagnose=True, resume=lambda: stored).run()
    resumed = [event.findings for event in seen if isinstance(event, events.FindingsChanged)][-1]
    assert resumed[0] == whole[0]
    assert resumed[0].rule == "learning-rate-low"


class _Keeper:
    """Takes checkpoints into a list."""

    idle, took = True, 0.0

    def __init__(self) -> None:
        self.kept: list[Checkpoint] = []

    def keep(self, checkpoint: Checkpoint) -> None:
        self.kept.append(checkpoint)

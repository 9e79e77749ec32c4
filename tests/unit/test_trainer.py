"""The one training loop: what it tells, and that its figures are those of a plain computation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from runs import during_step, run, short
from sklearn.metrics import accuracy_score, r2_score
from torch import nn

from d2ltui.data import load
from d2ltui.engine import clock as clock_module
from d2ltui.engine import trainer as trainer_module
from d2ltui.engine.control import Control
from d2ltui.engine.evaluation import evaluate
from d2ltui.engine.reporting import LARGEST_LOSS
from d2ltui.engine.trainer import Trainer
from d2ltui.nn.seeds import derive_seed
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve

COMMON = (
    "model", "implementation", "dataset", "device", "seed", "epochs", "steps", "seconds", "steps_per_s", "train_loss",
    "val_loss", "status",
)  # fmt: skip
MOONS = {"dataset": "moons", "hidden": "8", "epochs": 2, "device": "cpu"}


def equal(one: Trainer, other: Trainer) -> bool:
    """Whether two networks have the same parameters, to the bit."""
    a, b = one.network.state(), other.network.state()
    return a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)


# What is told


def test_the_events_of_a_run_in_order() -> None:
    _, tape = run(short())
    told = [type(event).__name__ for event in tape.events if not isinstance(event, events.Loading)]
    told = [name for name, _ in itertools.groupby(told)]
    assert told[:2] == ["StatusChanged", "RunStarted"]
    assert told[-1] == "RunEnded"
    assert tape.statuses == ["loading", "training", "finished"]
    assert [e.epoch for e in tape.of(events.EpochEnded)] == [1, 2, 3]
    assert tape.ended.message.startswith("after 3 epochs: loss ")


def test_what_a_run_starts_with() -> None:
    _, tape = run(short())
    (started,) = tape.of(events.RunStarted)
    assert (started.num_train, started.num_val, started.steps_per_epoch) == (1000, 1000, 10)
    assert started.device == "cpu"
    assert [layer.title for layer in started.layers] == ["Linear 2→1"]


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_blocks_of_steps_add_up(monkeypatch: pytest.MonkeyPatch, every: float) -> None:
    monkeypatch.setattr(trainer_module, "PUBLISH_EVERY", every)
    monkeypatch.setattr(trainer_module, "FIRST_PUBLISH", every)
    _, tape = run(short(batch_size=64))  # 15 × 64 + 40
    blocks = tape.of(events.StepsTrained)
    assert len(blocks) == (48 if every == 0 else 3)
    position = 0
    for block in blocks:
        assert len(block.losses) == len(block.metrics) > 0
        position += len(block.losses)
        assert block.step == position
    assert position == tape.ended.summary["steps"] == short(batch_size=64).total_steps
    seconds = [block.seconds for block in blocks]
    assert seconds == sorted(seconds)


def test_a_full_recorder_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module, "PUBLISH_EVERY", 1e9)
    _, tape = run(short(batch_size=1, epochs=1))
    assert max(len(block.losses) for block in tape.of(events.StepsTrained)) <= 512
    assert len(tape.losses) == 1000


# Figures


def test_epoch_figures_are_means_weighted_by_samples() -> None:
    _, tape = run(short(batch_size=300, epochs=2))  # batches of 300, 300, 300, 100
    for i, ended in enumerate(tape.of(events.EpochEnded)):
        part = slice(4 * i, 4 * i + 4)
        weights = [300, 300, 300, 100]
        assert ended.train_loss == pytest.approx(np.average(tape.losses[part], weights=weights), rel=1e-6)
        assert ended.train_metric == pytest.approx(np.average(tape.metrics[part], weights=weights), rel=1e-6)


@pytest.mark.parametrize("implementation", ["concise", "scratch"])
def test_classification_agrees_with_plain_pytorch(implementation: str) -> None:
    config = resolve({**MOONS, "implementation": implementation, "epochs": 1, "batch_size": 160})
    trainer, tape = run(config)
    data = load(config)
    # The same run, written as in a notebook.
    weights = [(w.detach().clone(), b.detach().clone()) for _, w, b in prepared(config).network.weights()]
    net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    for layer, (w, b) in zip((net[0], net[2]), weights, strict=True):
        layer.weight.data, layer.bias.data = w.T.clone(), b.clone()
    optimizer = torch.optim.SGD(net.parameters(), lr=config.lr)
    order = torch.randperm(800, generator=torch.Generator().manual_seed(derive_seed(config.seed, "order")))
    losses, accuracies = [], []
    for index in torch.split(order, 160):
        optimizer.zero_grad()
        output = net(data.x_train[index])
        loss = nn.functional.cross_entropy(output, data.y_train[index])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        accuracies.append(accuracy_score(data.y_train[index], output.argmax(1)))
    np.testing.assert_allclose(tape.losses, losses, rtol=1e-5)
    np.testing.assert_allclose(tape.metrics, accuracies, rtol=1e-6)
    with torch.no_grad():
        output = net(data.x_val)
        (ended,) = tape.of(events.EpochEnded)
        assert ended.val_loss == pytest.approx(nn.functional.cross_entropy(output, data.y_val).item(), rel=1e-5)
        assert ended.val_metric == pytest.approx(accuracy_score(data.y_val, output.argmax(1)))
    for (_, w, b), layer in zip(trainer.network.weights(), (net[0], net[2]), strict=True):
        torch.testing.assert_close(w.detach(), layer.weight.T.detach())
        torch.testing.assert_close(b.detach(), layer.bias.detach())


def prepared(config: RunConfig) -> Trainer:
    """A trainer that has prepared and not trained."""
    control = Control("pause")

    def stop(event: events.Event) -> None:
        if isinstance(event, events.StatusChanged) and event.status == "paused":
            control.stop()

    trainer = Trainer(config, control, [stop])
    trainer.run()
    return trainer


@pytest.mark.parametrize("dataset", ["synthetic-linear", "diabetes"])
def test_r2_is_scikit_learns(dataset: str) -> None:
    trainer, tape = run(resolve({"dataset": dataset, "epochs": 2, "device": "cpu", "lr": 0.05}))
    data = load(trainer.config)
    with torch.no_grad():
        expected = r2_score(data.y_val, trainer.network(data.x_val))
    assert tape.ended.summary["val_r2"] == pytest.approx(expected, rel=1e-5)


def test_evaluation_in_parts_is_evaluation_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, _ = run(resolve({**MOONS, "hidden": "8"}))
    data = load(trainer.config)
    whole = evaluate(trainer.network, "classification", data.x_val, data.y_val)
    monkeypatch.setattr("d2ltui.engine.evaluation.VALUES_CPU", 8 * 7)
    parts: list[None] = []
    found = evaluate(trainer.network, "classification", data.x_val, data.y_val, lambda: parts.append(None))
    assert found == pytest.approx(whole, rel=1e-6)
    assert len(parts) == math.ceil(len(data.x_val) / 7)


def test_evaluation_drops_nothing_and_training_does() -> None:
    trainer, _ = run(resolve({**MOONS, "dropout": 0.9}))
    data = load(trainer.config)
    network, x, y = trainer.network, data.x_val, data.y_val
    assert evaluate(network, "classification", x, y) == evaluate(network, "classification", x, y)
    assert not trainer.network(data.x_val).equal(trainer.network(data.x_val))


# The summary


def test_summary_of_a_classification() -> None:
    _, tape = run(resolve(MOONS))
    summary = tape.ended.summary
    assert tuple(summary) == (*COMMON, "train_accuracy", "val_accuracy")
    assert summary["model"] == "mlp"
    assert (summary["device"], summary["seed"], summary["epochs"], summary["steps"]) == ("cpu", 0, 2, 50)
    last = tape.of(events.EpochEnded)[-1]
    assert summary["train_loss"] == last.train_loss
    assert summary["val_accuracy"] == last.val_metric
    assert summary["status"] == "finished"


@pytest.mark.parametrize("implementation", ["concise", "scratch"])
def test_summary_of_linear_regression(implementation: str) -> None:
    _, tape = run(short(implementation=implementation, lr=0.1))
    summary = tape.ended.summary
    assert tuple(summary) == (*COMMON, "val_r2", "parameters")
    parameters = summary["parameters"]
    assert isinstance(parameters, dict)
    assert tuple(parameters) == ("weight", "bias", "weight_error", "bias_error")
    for w, error, truth in zip(parameters["weight"], parameters["weight_error"], (2.0, -3.4), strict=True):
        assert w + error == pytest.approx(truth, abs=1e-5)
    assert parameters["bias"] + parameters["bias_error"] == pytest.approx(4.2, abs=1e-5)


def test_real_data_have_no_true_parameters() -> None:
    _, tape = run(resolve({"dataset": "diabetes", "epochs": 1, "device": "cpu"}))
    parameters = tape.ended.summary["parameters"]
    assert isinstance(parameters, dict)
    assert tuple(parameters) == ("weight", "bias")
    assert len(parameters["weight"]) == 10


@pytest.mark.parametrize("given", [MOONS, {"model": "linear", "epochs": 1}])
def test_both_implementations_give_the_same_keys(given: dict[str, object]) -> None:
    keys = [tuple(run(resolve({**given, "implementation": i}))[1].ended.summary) for i in ("concise", "scratch")]
    assert keys[0] == keys[1]


@pytest.mark.parametrize("model", ["linear", "mlp"])
def test_a_run_that_never_began_has_the_same_keys(model: str) -> None:
    control = Control()
    control.stop()
    whole = run(resolve({"model": model, "epochs": 1}))[1].ended.summary
    assert tuple(run(resolve({"model": model}), control)[1].ended.summary) == tuple(whole)


# Seeds


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("implementation", ["concise", "scratch"])
def test_a_seed_means_one_result(implementation: str, dropout: float) -> None:
    config = {**MOONS, "implementation": implementation, "dropout": dropout}
    one, tape = run(resolve(config))
    again, other = run(resolve(config))
    assert equal(one, again)
    assert tape.losses.tolist() == other.losses.tolist()
    assert not equal(one, run(resolve({**config, "seed": 1}))[0])


# Looking


@pytest.mark.parametrize("implementation", ["concise", "scratch"])
def test_looking_never_changes_a_run(monkeypatch: pytest.MonkeyPatch, implementation: str) -> None:
    config = resolve({**MOONS, "implementation": implementation, "dropout": 0.5, "hidden": "8,8", "epochs": 4})
    unseen, _ = run(config, sample_every=None)
    # Look after every single step, pause in between, look away and back.
    monkeypatch.setattr(trainer_module, "PUBLISH_EVERY", 0.0)
    monkeypatch.setattr(trainer_module, "PROBE_EVERY", 0.0)
    monkeypatch.setattr("d2ltui.diagnosis.probes.EARLY_PROBE_EVERY", 0.0)
    monkeypatch.setattr("d2ltui.diagnosis.probes.PROBE_EVERY", 0.0)
    monkeypatch.setattr("d2ltui.diagnosis.probes.SHARE", 1e9)
    monkeypatch.setattr("d2ltui.diagnosis.probes.LOOKED_AT_SHARE", 1e9)
    monkeypatch.setattr("d2ltui.diagnosis.probes.EARLY_SHARE", 1e9)
    control = Control()
    control.observe(True)
    during_step(
        monkeypatch,
        {20: control.pause, 40: lambda: control.observe(False), 60: lambda: control.observe(True)},
    )

    def resume(event: events.Event) -> None:
        if isinstance(event, events.StatusChanged) and event.status == "paused":
            control.resume()

    seen, tape = run(config, control, resume)
    assert len(tape.of(events.LayersProbed)) > 30
    assert equal(unseen, seen)


# The clock


def test_a_pause_takes_no_training_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        """A clock that goes a hundredth of a second at a look, and 0.9 s while the run is paused."""

        now = 0.0

        def perf_counter(self) -> float:
            self.now += 0.01
            return self.now

    clock, control = Clock(), Control()

    def wait(event: events.Event) -> None:
        if isinstance(event, events.StatusChanged) and event.status == "paused":
            clock.now += 0.9  # a second would count as a process that stood still
            control.resume()
        if isinstance(event, events.Loading):
            clock.now += 86_400

    for module in (trainer_module, clock_module):
        monkeypatch.setattr(module, "time", clock)
    during_step(monkeypatch, {5: control.pause, 25: control.pause})
    _, tape = run(short(), control, wait)
    seconds = tape.ended.summary["seconds"]
    assert isinstance(seconds, float)
    assert 0.3 <= seconds < 0.9
    assert tape.statuses.count("paused") == 2
    assert tape.ended.summary["steps_per_s"] == pytest.approx(30 / seconds, rel=0.01)


# Divergence


@pytest.mark.parametrize(
    "given",
    [
        {"model": "mlp", **MOONS},
        {"model": "mlp", **MOONS, "activation": "sigmoid"},
        {"model": "mlp", **MOONS, "activation": "tanh", "implementation": "scratch"},
        {"model": "softmax", "dataset": "moons"},
        {"model": "softmax", "dataset": "moons", "optimizer": "adam"},
        {"model": "linear"},
        {"model": "linear", "implementation": "scratch"},
    ],
)
def test_an_absurd_learning_rate_ends_as_diverged(given: dict[str, object]) -> None:
    _, tape = run(resolve({**given, "lr": 1e30, "device": "cpu"}))
    assert tape.ended.status == tape.ended.summary["status"] == "diverged"
    assert "a lower lr than 1e30 may help" in tape.ended.message
    assert tape.ended.traceback is None
    assert len(tape.losses) == tape.ended.summary["steps"] > 0


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
@pytest.mark.parametrize("field", ["lr", "weight_decay"])
def test_a_factor_that_no_float32_holds_is_no_failure(field: str, optimizer: str) -> None:
    given = {"model": "softmax", "dataset": "digits", "optimizer": optimizer, "epochs": 1, field: 1e39}
    _, tape = run(resolve({**given, "device": "cpu"}))
    assert tape.ended.traceback is None
    # RMSprop divides by what it has seen of the gradient, however large that is.
    harmless = optimizer == "rmsprop" and field == "weight_decay"
    assert tape.ended.status == ("finished" if harmless else "diverged")


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_a_diverging_run_keeps_everything_up_to_the_first_broken_loss(
    monkeypatch: pytest.MonkeyPatch, every: float
) -> None:
    monkeypatch.setattr(trainer_module, "PUBLISH_EVERY", every)
    monkeypatch.setattr(trainer_module, "FIRST_PUBLISH", every)
    _, tape = run(short(lr=3.0, epochs=20))
    losses = tape.losses
    assert tape.ended.status == "diverged"
    assert (losses[:-1] <= LARGEST_LOSS).all()
    assert not losses[-1] <= LARGEST_LOSS
    assert tape.of(events.StepsTrained)[-1].step == len(losses) == tape.ended.summary["steps"]
    assert len(tape.of(events.EpochEnded)) == tape.ended.summary["epochs"] == (len(losses) - 1) // 10
    assert f"after step {len(losses):,}" in tape.ended.message


def test_a_last_step_that_breaks_the_weights_is_noticed() -> None:
    # One step in all: its own loss is fine, and no other follows.
    _, tape = run(short(lr=1e30, batch_size=1000, epochs=1))
    assert np.isfinite(tape.losses).all()
    assert tape.ended.status == "diverged"
    assert tape.ended.summary["epochs"] == 1
    assert tape.ended.summary["val_loss"] is None


def test_the_figures_of_a_diverged_run_are_numbers_or_none() -> None:
    _, tape = run(short(lr=1e30))

    def check(value: object) -> None:
        if isinstance(value, dict):
            for inner in value.values():
                check(inner)
        elif isinstance(value, list):
            for inner in value:
                check(inner)
        elif isinstance(value, float):
            assert math.isfinite(value)

    check(tape.ended.summary)
    assert events.to_json(tape.ended.summary)


def test_a_run_that_has_diverged_says_so_even_when_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control()
    during_step(monkeypatch, {2: control.stop})
    _, tape = run(short(lr=1e30), control)
    assert tape.ended.status == "diverged"

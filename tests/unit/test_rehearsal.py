"""The step that comes next, line by line: what is shown of it is what then happens, and showing it changes nothing."""

from __future__ import annotations

import msgspec
import pytest
import torch
from runs import run

from d2ltui.code.listing import listing
from d2ltui.data import Dataset
from d2ltui.engine.control import Control
from d2ltui.engine.picture_desk import PictureDesk
from d2ltui.engine.step_moments import see
from d2ltui.engine.trainer import Trainer
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.pictures import PictureMade, PictureRequest
from d2ltui.spec.step_seen import STEP, StepSeen, TensorSeen

FEW = {"dataset": "moons", "hidden": "8", "batch_size": 400, "epochs": 3, "device": "cpu"}  # two steps an epoch
RUNS: dict[str, dict[str, object]] = {
    "linear": {"model": "linear", "batch_size": 400, "epochs": 2, "device": "cpu"},
    "penalty": {
        "model": "linear", "implementation": "scratch", "weight_decay": 0.1, "clip_norm": 0.5, "batch_size": 500,
        "epochs": 2, "device": "cpu",
    },
    "softmax": {"model": "softmax", "dataset": "digits", "batch_size": 1000, "epochs": 2, "optimizer": "rmsprop"},
    "mlp": {"model": "mlp", **FEW, "optimizer": "adam", "dropout": 0.5, "schedule": "cosine", "clip_norm": 0.1},
    "decay": {"model": "mlp", **FEW, "optimizer": "adamw", "weight_decay": 0.1, "activation": "tanh"},
    "momentum": {"model": "mlp", **FEW, "optimizer": "momentum", "weight_decay": 0.1, "schedule": "step"},
    "scratch": {"model": "mlp", **FEW, "implementation": "scratch", "dropout": 0.3, "weight_decay": 0.01},
    "adagrad": {"model": "mlp", **FEW, "optimizer": "adagrad", "hidden": "8,4"},
    "lenet": {"model": "lenet", "dataset": "mnist", "batch_size": 8, "epochs": 1, "device": "cpu"},
    "lenet-scratch": {
        "model": "lenet", "implementation": "scratch", "dataset": "mnist", "batch_size": 8, "epochs": 1,
        "device": "cpu",
    },
}  # fmt: skip


def data_of(config: RunConfig) -> Dataset | None:
    """Fewer pictures than MNIST has, and no download; None for what is embedded."""
    if config.dataset != "mnist":
        return None
    info = msgspec.structs.replace(config.dataset_info, train_size=16, val_size=8)
    generator = torch.Generator().manual_seed(1)
    parts = ((torch.rand(n, 784, generator=generator), torch.randint(10, (n,), generator=generator)) for n in (16, 8))
    (x, y), (x_val, y_val) = parts
    return Dataset(info, x, y, x_val, y_val)


class Stepping(PictureDesk):
    """Somebody who looks at every step, and then has it taken."""

    def __init__(self, control: Control) -> None:
        super().__init__()
        self._control = control
        self.trainer: Trainer | None = None
        self.looks: list[tuple[PictureMade, dict[str, TensorSeen]]] = []
        self.ask(PictureRequest(STEP, 0, 0))

    def put(self, made: PictureMade) -> None:
        super().put(made)
        if made.next_step is None:
            self.looks.append((made, self._parameters()))
            self._control.resume()
            return
        self.looks.append((made, self._parameters()))
        self._control.step()

    def _parameters(self) -> dict[str, TensorSeen]:
        """As they are now, by the names that the book gives them."""
        assert self.trainer is not None
        network = self.trainer.network
        kinds = {"linear": "W", "convolution": "K"}
        found = {}
        for number, (spec, weight, bias) in enumerate(network.weights(), 1):
            one = "" if len(network.plan) == 1 else str(number)
            for name, tensor in ((f"{kinds[spec.kind]}{one}", weight), (f"b{one}", bias)):
                found[name] = see(name, tensor)
        return found


def stepped(config: RunConfig) -> tuple[Stepping, Trainer]:
    control = Control("pause")
    control.pictures = desk = Stepping(control)
    trainer = desk.trainer = Trainer(config, control, [], dataset=data_of(config), sample_every=None)
    assert trainer.run().status == "finished"
    return desk, trainer


@pytest.mark.parametrize("name", RUNS)
def test_what_is_shown_of_a_step_is_what_then_happens(name: str) -> None:
    config = resolve(RUNS[name])
    desk, trainer = stepped(config)
    plain, tape = run(config, dataset=data_of(config), sample_every=None)
    state, expected = trainer.network.state(), plain.network.state()
    assert all(torch.equal(state[key], expected[key]) for key in expected)
    assert len(desk.looks) == len(tape.losses) + 1
    last, _ = desk.looks.pop()
    assert last.problem == "the last step has been taken"
    losses = []
    for number, (made, before) in enumerate(desk.looks):
        seen = made.next_step
        assert made.step == number
        assert seen is not None
        assert (seen.epoch, seen.batch) == (1 + number // seen.batches, 1 + number % seen.batches)
        after = desk.looks[number + 1][1] if number + 1 < len(desk.looks) else desk._parameters()
        moved = {moment.tensors[-1].name: moment.tensors for moment in seen.moments if moment.line == "update"}
        assert moved.keys() == before.keys()
        for parameter, (was, *_, is_now) in moved.items():
            assert was.values == before[parameter].values
            assert was.mean == before[parameter].mean
            assert is_now == after[parameter]
        losses.append(_tensor(seen, "loss", "l").mean)
    assert losses == tape.losses.tolist()
    first = desk.looks[0][0].next_step
    assert first is not None
    assert_has_lines(config, first)


def _tensor(seen: StepSeen, line: str, name: str) -> TensorSeen:
    """By its name, of one line."""
    return next(one for moment in seen.moments if moment.line == line for one in moment.tensors if one.name == name)


def assert_has_lines(config: RunConfig, seen: StepSeen) -> None:
    """Every moment of the step has its line in the code, and they come in order."""
    keys = {moment.line for moment in seen.moments}
    assert keys <= {line.moment for line in listing(config, config.implementation)}
    other = "concise" if config.implementation == "scratch" else "scratch"
    missing = keys - {line.moment for line in listing(config, other)}
    assert missing <= {"penalty"}  # which the concise implementation leaves to its optimiser
    phases = [moment.phase for moment in seen.moments]
    assert phases == sorted(phases, key=["forward", "loss", "backward", "update"].index)


def test_a_chain_of_shapes_leads_from_the_inputs_to_the_loss() -> None:
    desk, _ = stepped(resolve(RUNS["lenet-scratch"]))
    seen = desk.looks[0][0].next_step
    assert seen is not None
    shapes = {one.name: one.shape for moment in seen.moments for one in moment.tensors}
    assert shapes["X"] == (8, 1, 28, 28)
    assert shapes["y_hat"] == shapes["y_hat.grad"] == (8, 10)
    assert shapes["l"] == ()
    assert all(
        shapes[name] == shapes[f"{name}.grad"]
        for name in shapes
        if name[0] in "ZHPWKb" and "." not in name and " " not in name
    )


def test_clipped_gradients_are_seen_before_and_after() -> None:
    desk, _ = stepped(resolve(RUNS["penalty"]))
    seen = desk.looks[0][0].next_step
    assert seen is not None
    before, theta, after = next(moment.tensors for moment in seen.moments if moment.line == "clip")
    assert before.mean > theta.mean == 0.5 == pytest.approx(after.mean)
    assert abs(_tensor(seen, "layer 1", "W.grad").mean) > abs(_tensor(seen, "update", "W.grad").mean)
    penalty = _tensor(seen, "penalty", "penalty")
    assert penalty.mean == pytest.approx(sum(v**2 for v in _tensor(seen, "layer 1", "W").values) / 2)


def test_while_a_run_trains_nothing_is_rehearsed() -> None:
    control = Control()
    desk = control.offer_pictures()
    desk.ask(PictureRequest(STEP, 0, 0))
    during: list[PictureMade | None] = []
    run(resolve({**RUNS["mlp"], "epochs": 20}), control, lambda event: during.append(desk.made))
    assert during[:-1] == [None] * (len(during) - 1)  # nobody waits for a step any more at the end


def test_another_learning_rate_is_shown_at_once() -> None:
    config = resolve(RUNS["linear"])
    control = Control("pause")
    shown: list[float] = []

    class Changing(PictureDesk):
        def put(self, made: PictureMade) -> None:
            super().put(made)
            assert made.next_step is not None
            was, gradient, is_now = next(m.tensors for m in made.next_step.moments if m.line == "update")
            shown.append((was.mean - is_now.mean) / gradient.mean)
            control.set_lr(0.5) if len(shown) == 1 else control.stop()

    control.pictures = desk = Changing()
    desk.ask(PictureRequest(STEP, 0, 0))
    trainer = Trainer(config, control, [], sample_every=None)
    ended = trainer.run()
    assert isinstance(ended, events.RunEnded)
    assert ended.status == "stopped"
    assert shown == pytest.approx([config.lr, 0.5], rel=1e-4)


def test_a_step_that_cannot_be_shown_says_why_and_the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no memory for a copy")

    monkeypatch.setattr("d2ltui.engine.rehearsal.Rehearsal._take", broken)
    control = Control("pause")
    control.pictures = desk = Stepping(control)
    tape: list[events.Event] = []
    desk.trainer = Trainer(resolve(RUNS["linear"]), control, [tape.append], sample_every=None)
    assert desk.trainer.run().status == "finished"
    assert desk.looks[0][0].problem == "the next step cannot be shown (no memory for a copy)"
    failures = [event for event in tape if isinstance(event, events.ObserverFailed)]
    assert len(failures) == 1
    assert "line by line" in failures[0].observer

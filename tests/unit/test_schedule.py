"""Learning-rate schedules, momentum and gradient clipping, as hyperparameters of a run."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from runs import Tape, run, samples, short

from d2ltui import nn as models
from d2ltui.engine.control import Control
from d2ltui.engine.schedule import Schedule
from d2ltui.engine.trainer import Trainer
from d2ltui.nn import functional
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.optimizers import OPTIMIZERS
from d2ltui.spec.parsing import ConfigError


def factors(name: str, epochs: int) -> list[float]:
    schedule = Schedule(name, epochs)
    return [schedule.factor(epoch) for epoch in range(1, epochs + 1)]


def test_what_the_schedules_are() -> None:
    assert factors("constant", 4) == [1.0] * 4
    assert factors("step", 6) == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    cosine = [(1 + math.cos(math.pi * epoch / 10)) / 2 for epoch in range(10)]
    assert factors("cosine", 10) == pytest.approx(cosine)
    warm = factors("warmup", 30)
    assert warm[:4] == pytest.approx([0.1, 0.4, 0.7, 1.0])
    assert warm[3:] == pytest.approx([(1 + math.cos(math.pi * epoch / 27)) / 2 for epoch in range(27)])
    for name in ("constant", "step", "cosine", "warmup"):
        assert factors(name, 1) == [1.0]
        assert Schedule(name, 50).factor(17) == pytest.approx(factors(name, 50)[16])


class Rates:
    """A sink that notes the learning rate at the end of each epoch."""

    def __init__(self) -> None:
        self.trainer: Trainer | None = None
        self.seen: list[float] = []

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.EpochEnded) and self.trainer is not None:
            self.seen.append(models.get_lr(self.trainer.parts.optimizer))


@pytest.mark.parametrize("implementation", ["concise", "scratch"])
def test_a_run_follows_its_schedule_also_from_scratch(implementation: str) -> None:
    rates = Rates()
    config = short(epochs=6, lr=0.02, schedule="step", implementation=implementation)
    rates.trainer = Trainer(config, Control(), [rates])
    assert rates.trainer.run().status == "finished"
    assert rates.seen == pytest.approx([0.02, 0.02, 0.002, 0.002, 0.0002, 0.0002])


def test_a_learning_rate_that_is_changed_is_what_the_schedule_goes_on_with() -> None:
    control, rates = Control(), Rates()
    rates.trainer = Trainer(short(epochs=4, lr=0.02, schedule="cosine"), control, [rates])
    control.set_lr(0.01)
    rates.trainer.run()
    assert rates.seen == pytest.approx([0.01 * factor for factor in factors("cosine", 4)])


@pytest.mark.parametrize("implementation", ["concise", "scratch"])
def test_a_clipped_gradient_is_no_longer_than_allowed(implementation: str) -> None:
    config = resolve({"hidden": "8", "implementation": implementation, "clip_norm": 0.01, "init": "xavier"})
    network = models.build(config)
    x, y = samples(config, dtype=torch.float32)
    network.loss(network(x), y).backward()  # type: ignore[no-untyped-call]

    def gradient() -> torch.Tensor:
        return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])

    before = gradient()
    clip = models.make_clip(config, network)
    assert clip is not None
    clip()
    torch.testing.assert_close(gradient(), before * (0.01 / before.norm()), rtol=1e-4, atol=1e-9)
    clip()  # what is short enough stays
    torch.testing.assert_close(gradient().norm(), torch.tensor(0.01), rtol=1e-3, atol=0.0)  # PyTorch's adds 1e-6
    assert models.make_clip(resolve({}), network) is None


def test_gradients_below_the_limit_are_left_alone() -> None:
    p = torch.ones(3, requires_grad=True)
    p.grad = torch.tensor([0.3, 0.0, 0.4])
    functional.clip_gradients([p, torch.zeros(1)], 0.6)
    assert p.grad.tolist() == pytest.approx([0.3, 0.0, 0.4])
    functional.clip_gradients([p], 0.25)
    assert p.grad.tolist() == pytest.approx([0.15, 0.0, 0.2])


def test_clipping_lets_a_run_live_that_would_diverge() -> None:
    def status(**given: object) -> str:
        return run(short(lr=2.0, **given))[1].ended.status

    assert status() == "diverged"
    assert status(clip_norm=0.1) == "finished"


def test_momentum_is_the_runs_own() -> None:
    def optimizer(**given: object) -> torch.optim.Optimizer:
        config = resolve({"hidden": "4", "optimizer": "momentum", **given})
        made = models.make_optimizer(config, models.build(config))
        assert isinstance(made, torch.optim.Optimizer)
        return made

    assert optimizer().param_groups[0]["momentum"] == 0.9
    assert optimizer(momentum=0.5).param_groups[0]["momentum"] == 0.5
    with pytest.raises(ConfigError, match=r"^momentum: 0.5 is not allowed \(optimizer sgd has no momentum\)"):
        resolve({"momentum": 0.5})
    with pytest.raises(ConfigError, match=r"^momentum: '1' is not allowed; allowed: a finite number, 0 or more and "):
        resolve({"optimizer": "momentum", "momentum": "1"})


@pytest.mark.parametrize("given", [{"optimizer": name} for name in OPTIMIZERS] + [{"implementation": "scratch"}])
def test_a_resumed_run_follows_its_schedule(given: dict[str, object], tmp_path: Path) -> None:
    from d2ltui.engine.checkpoint import Checkpoint

    config: RunConfig = short(epochs=5, schedule="warmup", clip_norm=1.0, **given)

    class Keeps:
        def __init__(self) -> None:
            self.kept: list[Checkpoint] = []

        def keep(self, checkpoint: Checkpoint) -> float:
            self.kept.append(checkpoint)
            return 0.0

    whole = Trainer(config, Control(), [Tape()])
    whole.run()
    control, keeps = Control(), Keeps()

    def stop_in_the_middle(event: events.Event) -> None:
        if isinstance(event, events.EpochEnded) and event.epoch == 3:
            control.stop()

    Trainer(config, control, [stop_in_the_middle], keeper=keeps).run()
    resumed = Trainer(config, Control(), [Tape()], resume=lambda: keeps.kept[-1])
    resumed.run()
    for name, value in whole.network.state().items():
        assert torch.equal(value, resumed.network.state()[name]), name

"""What findings are judged by is sampled by steps: the same run has the same findings, whoever looks meanwhile."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from d2ltui.diagnosis import probes, sampling
from d2ltui.diagnosis.look import look
from d2ltui.diagnosis.sampling import Sampler, cost, moments
from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.nn import build
from d2ltui.spec import catalogue, events
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import resolve
from tests.selection import long_after

MLP = {"model": "mlp", "dataset": "digits", "hidden": "16,16", "device": "cpu", "threads": 1}
SICK: list[dict[str, Any]] = [
    {"lr": 3, "init": "normal", "init_std": 1, "hidden": "64,64", "epochs": 3},
    {"activation": "sigmoid", "hidden": "8,8,8,8,8,8", "init": "xavier"},
    {"lr": 1e-5},
    {"optimizer": "momentum", "lr": 20},  # diverges
]


@pytest.mark.parametrize(("epochs", "batch_size"), list(itertools.product((1, 3, 100, 5000), (16, 64))))
def test_samples_take_their_share_of_the_steps_and_no_more(epochs: int, batch_size: int) -> None:
    plan = catalogue.layer_plan(resolve(MLP))
    steps = -(-1437 // batch_size)
    at = moments(plan, batch_size, 256, steps, epochs)
    assert len(at) <= sampling.MOST
    assert len(at) * cost(plan, batch_size, 256) <= sampling.SHARE * steps * epochs
    assert list(at) == sorted(set(at))
    assert all(0 < step < steps * epochs for step in at)


def test_a_long_run_is_sampled_early_and_at_ends_of_epochs() -> None:
    plan = catalogue.layer_plan(resolve(MLP))
    at = moments(plan, 32, 256, 45, 4000)
    assert len(at) == sampling.MOST
    assert at[0] < 100
    assert sum(step % 45 == 0 for step in at) >= sampling.MOST // 2
    assert moments(plan, 32, 256, 0, 3) == moments(plan, 32, 256, 5, 0) == ()


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_a_brief_look_sees_what_a_full_one_sees(activation: str) -> None:
    config = resolve({**MLP, "activation": activation, "init": "normal", "init_std": 2.0})
    network = build(config)
    x, y = torch.randn(50, 64), torch.arange(50) % 10
    full, brief = (look(network, x, y, network.loss, brief=brief).probed for brief in (False, True))
    for one, other in zip(full.layers, brief.layers, strict=True):
        for name in ("mean", "sd", "minimum", "maximum", "zeros", "dead", "saturated", "gradient_norm", "weight_norm"):
            expected = getattr(one, name)
            assert getattr(other, name) == (expected and pytest.approx(expected, rel=1e-4, abs=1e-5)), name
        assert (one.title, one.num_units, one.nonfinite) == (other.title, other.num_units, other.nonfinite)
    assert ACTIVATIONS[activation].can_die == (brief.layers[1].dead is not None)


def test_what_is_not_finite_is_counted_in_a_brief_look_too() -> None:
    network = build(resolve(MLP))
    x = torch.randn(20, 64)
    x[3] = torch.nan
    layers = look(network, x, torch.zeros(20, dtype=torch.long), network.loss, brief=True).probed.layers
    assert [layer.nonfinite for layer in layers] == [16, 16, 16, 16, 10]
    assert layers[1].dead is not None
    assert 0 <= layers[1].dead < 1


def test_a_sampler_measures_the_step_before_each_moment() -> None:
    network = build(resolve(MLP))
    sampler = Sampler(network, torch.randn(9, 64), torch.arange(9), (5, 9))
    sampler.go_on_from(2)
    assert sampler.next == 4
    assert sampler.take(4) is None
    assert sampler.next == 5
    _, weight, _ = network.linear_parameters()[0]
    before = weight.detach().clone()
    with torch.no_grad():
        weight *= 1.5
    probed = sampler.take(5)
    assert probed is not None
    assert (probed.step, sampler.next) == (5, 8)
    assert probed.layers[0].update_ratio == pytest.approx(0.5, rel=1e-4)
    assert probed.layers[2].update_ratio == 0
    assert torch.equal(weight, before * 1.5)
    sampler.go_on_from(9)
    assert sampler.next == float("inf")


@pytest.mark.parametrize("resumed", [0, 3, 4])
def test_moments_that_follow_on_each_other_are_all_sampled(resumed: int) -> None:
    """As in a run of full batches, of which each epoch is one step."""
    network = build(resolve(MLP))
    at = moments(catalogue.layer_plan(resolve({"dataset": "fashion-mnist"})), 60_000, 256, 1, 10)
    assert at == (2, 4, 5, 6, 8, 9)
    sampler = Sampler(network, torch.randn(9, 64), torch.arange(9), at)
    if resumed:
        sampler.go_on_from(resumed)
    _, weight, _ = network.linear_parameters()[0]
    sampled = {}
    for step in range(resumed + 1, 10):
        with torch.no_grad():
            weight *= 1.5
        if step == sampler.next and (probed := sampler.take(step)) is not None:
            sampled[probed.step] = probed.layers[0].update_ratio
    assert sampled == {step: pytest.approx(0.5, rel=1e-4) for step in at if step > resumed + (resumed > 0)}


class Told:
    """The findings of a run, as they were told."""

    def __init__(self, *, looks: bool, **given: Any) -> None:
        self.changes: list[events.FindingsChanged] = []
        self.looks = 0
        control = Control()
        control.observe(looks)
        self.ended = Trainer(resolve({**MLP, "epochs": 6, **given}), control, [self], diagnose=True).run()

    def __call__(self, event: events.Event) -> None:
        self.looks += isinstance(event, events.LayersProbed)
        if isinstance(event, events.FindingsChanged):
            self.changes.append(event)


@pytest.mark.parametrize("given", long_after(1, SICK))
def test_findings_are_the_same_word_for_word_whoever_looks(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "SHARE", 0.6)
    unseen = Told(looks=False, **given)
    for name in ("FIRST_PROBE", "EARLY_PROBE_EVERY", "PROBE_EVERY"):
        monkeypatch.setattr(probes, name, 0.002)
    monkeypatch.setattr(probes, "LOOKED_AT_SHARE", 0.9)
    monkeypatch.setattr("d2ltui.engine.trainer.PUBLISH_EVERY", 0.001)
    seen = Told(looks=True, **given)
    assert seen.looks > unseen.looks
    assert seen.changes == unseen.changes
    assert unseen.changes
    if unseen.ended.status == "finished":
        assert any(0 < change.step < unseen.ended.summary["steps"] for change in unseen.changes)  # type: ignore[operator]

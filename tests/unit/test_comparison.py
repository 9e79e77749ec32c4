"""Where from scratch and concise follow the same trajectory, where they do not, and that `comparison` says so."""

from __future__ import annotations

import numpy as np
import pytest
from runs import run

from d2ltui.spec import comparison
from d2ltui.spec.comparison import LOSS_UNIT, beside_concise, explanations, loss_factors
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.header import RunHeader, header_of

SOFTMAX = {"model": "softmax", "dataset": "digits", "epochs": 1, "device": "cpu"}
MLP = {"model": "mlp", "dataset": "digits", "hidden": "16,8", "epochs": 1, "device": "cpu"}
LINEAR = {"model": "linear", "dataset": "diabetes", "epochs": 4, "device": "cpu"}


def pair(given: dict[str, object], **scratch: object) -> tuple[RunConfig, RunConfig]:
    return resolve({**given, "implementation": "scratch", **scratch}), resolve({**given, "implementation": "concise"})


def headers(configs: list[RunConfig]) -> list[RunHeader]:
    return [header_of(config) for config in configs]


def losses(config: RunConfig) -> np.ndarray:
    """Each step's loss, the linear ones from scratch in concise's unit."""
    factor = 2.0 if config.model == "linear" and config.implementation == "scratch" else 1.0
    return factor * run(config, sample_every=None)[1].losses


def follow(given: dict[str, object], **scratch: object) -> bool:
    """Whether both report the same loss at each step but for rounding in float32."""
    a, b = (losses(config) for config in pair(given, **scratch))
    return bool(np.allclose(a, b, rtol=1e-3, atol=1e-5))


@pytest.mark.parametrize(
    "given",
    [
        *({**SOFTMAX, "init": init} for init in ("normal", "xavier", "kaiming", "zeros")),
        {**SOFTMAX, "init": "xavier", "weight_decay": 0.1, "lr": 0.5},
        *({**MLP, "init": "xavier", "activation": name} for name in ("identity", "sigmoid", "tanh", "relu")),
        {**MLP, "init": "kaiming", "weight_decay": 0.1},
    ],
    ids=str,
)
def test_one_trajectory_where_weights_start_alike_and_nothing_is_dropped(given: dict[str, object]) -> None:
    assert follow(given)
    assert explanations(pair(given)) == ["from scratch and concise follow the same trajectory here, but for rounding"]


@pytest.mark.parametrize("given", [SOFTMAX, MLP], ids=["softmax", "mlp"])
def test_the_default_initialisations_differ(given: dict[str, object]) -> None:
    assert not follow(given)
    (said,) = explanations(pair(given))
    assert "with init default the weights start differently" in said


def test_dropout_drops_other_units() -> None:
    given = {**MLP, "init": "xavier", "dropout": 0.3}
    assert not follow(given)
    (said,) = explanations(pair(given))
    assert "masks of its own" in said
    assert len(explanations(pair({**given, "init": "default"}))) == 2


@pytest.mark.parametrize("init", ["default", "xavier"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_linear_regression_from_scratch_moves_half_as_far(init: str, weight_decay: float) -> None:
    given = {**LINEAR, "init": init, "lr": 0.01, "weight_decay": weight_decay}
    assert not follow(given)
    assert follow(given, lr=0.02, weight_decay=weight_decay / 2)  # the penalty has no ½ to lose
    first, second = explanations(pair(given))
    assert first == LOSS_UNIT
    decays = (" and weight_decay 0.05", " and weight_decay 0.1") if weight_decay else ("", "")
    assert "from scratch, lr 0.02{} moves as concise does with lr 0.01{})".format(*decays) in second


def test_losses_of_linear_regression_are_compared_in_one_unit() -> None:
    scratch, concise = pair(LINEAR)
    assert loss_factors(headers([concise, scratch, concise])) == [1.0, 2.0, 1.0]
    assert loss_factors(headers([scratch, scratch])) == [1.0, 1.0]  # comparable as they are
    assert loss_factors(headers([*pair(SOFTMAX)])) == [1.0, 1.0]
    assert loss_factors(headers([])) == []
    assert LOSS_UNIT not in explanations([scratch, scratch])
    a, b = losses(scratch), losses(concise)
    assert a[0] == pytest.approx(b[0], rel=1e-5)  # before the first step, in one unit: the same weights, the same batch


def test_nothing_is_explained_where_there_is_nothing_to_compare() -> None:
    scratch, concise = pair({**MLP, "init": "xavier"})
    assert explanations([scratch]) == []
    assert explanations([concise, concise]) == []
    assert explanations([scratch, resolve({**SOFTMAX, "implementation": "concise"})]) == []
    # Runs that differ in something else are not promised to be the same.
    assert explanations(pair({**MLP, "init": "xavier"}, lr=0.5)) == []


def test_the_module_says_of_every_combination_what_holds() -> None:
    assert comparison.reasons(*pair({**MLP, "init": "xavier"})) == []
    assert len(comparison.reasons(*pair({**MLP, "dropout": 0.5}))) == 2
    assert len(comparison.reasons(*pair(LINEAR))) == 1


def test_adamw_has_no_penalty_that_could_be_clipped() -> None:
    given = {"model": "mlp", "dataset": "moons", "init": "xavier", "weight_decay": 0.1, "clip_norm": 0.1}
    assert "clipped" in beside_concise(resolve(given))
    assert "clipped" not in beside_concise(resolve({**given, "optimizer": "adamw"}))

"""What the loss's own course tells: it jumps, or has stopped falling. A noisy or a converged one does neither."""

from __future__ import annotations

import math
import random

import msgspec
import pytest
import torch
from looks import MLP, epochs, layer, looked
from runs import rules

from d2ltui.data import load
from d2ltui.diagnosis import thresholds
from d2ltui.diagnosis.causes import possible_causes
from d2ltui.diagnosis.evidence import floors
from d2ltui.diagnosis.monitor import examine
from d2ltui.diagnosis.rules_loss import losses_judged, stands_still, swings
from d2ltui.engine import doctor
from d2ltui.engine.patient import Patient
from d2ltui.history.epochs import Epochs
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve

LN10 = math.log(10)


@pytest.mark.parametrize(
    ("losses", "batch_size", "found"),
    [
        ([0.5, 4.0] * 20, 64, True),
        ([0.5] * 9 + [4.0] * 9 + [0.4] * 9 + [3.5] * 9 + [0.5] * 9, 64, False),
        ([2.5 / (1 + step / 10) for step in range(200)], 64, False),
        ([3.5, 4.0] * 20, 64, False),  # never below a guess: it has not learned to lose it again
        ([0.5, 4.0] * 100, 1, False),  # the mean of 64 samples stands still
    ],
)
def test_a_loss_that_jumps_up_and_down(losses: list[float], batch_size: int, found: bool) -> None:
    config = resolve({**MLP, "batch_size": batch_size, "lr": 3})
    start = looked(0, layer(1), loss=2.3)
    told = examine([start, looked(200, layer(1), loss=1.0)], [], config, losses=losses)
    assert ("oscillation" in rules(told)) == found
    if found:
        assert told[0].remedy == {"lr": 0.1}


def test_the_noise_of_a_small_batch_is_no_oscillation() -> None:
    """Single samples' losses: nine in ten small, one far above a guess's."""
    chance = random.Random(1)
    for batch_size in (4, 8, 32):
        steps = losses_judged(batch_size)
        losses = [sum(chance.choice((0.2,) * 9 + (5.0,)) for _ in range(batch_size)) / batch_size for _ in range(steps)]
        assert max(losses) > 1.2 * min(losses)
        assert swings(losses, batch_size, LN10)[0] == 0


@pytest.mark.parametrize(("val_losses", "found"), [([0.36, 0.35, 0.36, 0.34], False), ([0.3, 0.8, 0.35, 0.9], True)])
def test_a_squared_error_that_jumps_by_chance_leaves_the_validation_loss_calm(
    val_losses: list[float], found: bool
) -> None:
    config = resolve({**MLP, "dataset": "diabetes", "batch_size": 32, "lr": 0.1})
    start, now = (looked(step, layer(1), loss=0.47) for step in (0, 192))
    told = Epochs.of(
        [events.EpochEnded(i, 48 * i, 0.4, loss, 0.1, 0.1, 1.0) for i, loss in enumerate(val_losses, start=1)]
    )
    assert ("oscillation" in rules(examine([start, now], told, config, losses=[0.25, 0.25, 0.6, 0.6] * 48))) == found


def ended(losses: list[float], metric: float = 0.6) -> Epochs:
    told = epochs(losses, losses)
    return Epochs.of([events.EpochEnded(e.epoch, e.step, e.train_loss, 1, metric, 0.5, 1.0) for e in told])


@pytest.mark.parametrize(
    ("losses", "metric", "since"),
    [
        ([2.0, 1.5, 1.2, 1.2, 1.21, 1.2, 1.2, 1.2, 1.2, 1.2], 0.6, 3),
        ([2.0 - 0.1 * epoch for epoch in range(10)], 0.6, None),
        ([2.0, 1.5, 0.5] + [0.4] * 9, 0.85, None),  # it knows most of what there is
        ([2.0, 1.5] + [1.2] * 9, 0.95, None),
        ([2.31] * 12, 0.1, None),  # it never learned anything
        ([2.0, 1.5, 1.2, 1.2], 0.6, None),
    ],
)
def test_a_loss_that_stands_still(losses: list[float], metric: float, since: int | None) -> None:
    assert stands_still(ended(losses, metric), LN10) == since


@pytest.mark.parametrize("smoothing", [0.1, 0.5, 0.9])
def test_smoothed_labels_leave_a_loss_that_is_no_standstill(smoothing: float) -> None:
    lowest, plain = floors(resolve({**MLP, "label_smoothing": smoothing}), 10)
    wanted = torch.full((10,), smoothing / 10)
    wanted[0] += 1 - smoothing
    assert lowest == pytest.approx(float(-(wanted * wanted.log()).sum()))
    assert plain == pytest.approx(float(-wanted[0].log()))
    learned = [lowest + share * (LN10 - lowest) for share in (1.0, 0.5, *[0.05] * 10)]
    assert stands_still(ended(learned, 0.85), LN10, lowest) is None
    stuck = [lowest + share * (LN10 - lowest) for share in (1.0, 0.7, *[0.6] * 10)]
    assert stands_still(ended(stuck), LN10, lowest) == 3


def test_a_network_with_smoothed_labels_that_memorises_is_told_so() -> None:
    """Its train loss stays above the validation loss of its best epoch: what is left of it above its least counts."""
    config = resolve({**MLP, "label_smoothing": 0.3})
    lowest = floors(config, 10)[0]
    told = Epochs.of(
        [
            events.EpochEnded(i, 9 * i, lowest + 1 / i**2, loss, 0.99, 0.6, 1.0)
            for i, loss in enumerate([0.9, 0.8, 0.7, *[0.6 + 0.08 * k for k in range(12)]], start=1)
        ]
    )
    assert told[-1].train_loss > told.best("val_loss").val_loss
    start, now = looked(0, layer(1), loss=2.3), looked(135, layer(1), loss=0.4)
    assert "overfitting" in rules(examine([start, now], told, config))


def test_whoever_only_guesses_has_learned_nothing_by_heart() -> None:
    """Weights that are far too large: the train loss comes down from 1e9 to a guess's, the validation loss does not."""
    told = Epochs.of(
        [events.EpochEnded(i, 9 * i, loss, 14.1, 0.09, 0.1, 1.0) for i, loss in enumerate([1e9, *[2.303] * 9], start=1)]
    )
    start, now = looked(0, layer(1), loss=1e9), looked(90, layer(1), loss=2.303)
    assert "overfitting" not in rules(examine([start, now], told, resolve(MLP)))


def test_what_has_converged_is_not_stalled_and_what_went_blind_is() -> None:
    config = resolve(MLP)
    flat = ended([2.0, 1.5] + [1.2] * 10)
    well = [layer(1), layer(2, "ReLU", dead=0.1), layer(3)]
    start = looked(0, *well, loss=2.3)
    assert "stalled" not in rules(examine([start, looked(120, *well, loss=1.2)], flat, config))
    dead = [layer(1), layer(2, "ReLU", dead=0.95), layer(3)]
    told = examine([start, looked(120, *dead, loss=1.2)], flat, config)
    (stalled,) = [finding for finding in told if finding.rule == "stalled"]
    assert stalled.layer == 2
    assert "since epoch 3" in stalled.what
    gone = [layer(1, gradient_norm=1e-6), layer(2, "ReLU", dead=0.1), layer(3)]
    assert "stalled" in rules(examine([start, looked(120, *gone, loss=1.2)], flat, config))
    assert "stalled" not in rules(examine([looked(0, *gone, loss=2.3), looked(120, *gone, loss=1.2)], flat, config))


def test_what_oscillates_is_tried_with_a_lower_rate() -> None:
    config = resolve(MLP)
    info = config.dataset_info
    assert "oscillation" not in {cause.rule for cause in possible_causes(config, info, 1.0)}
    (cause,) = [one for one in possible_causes(config, info, 1.0, oscillates=True) if one.rule == "oscillation"]
    assert cause.remedy == {"lr": config.lr / 10}
    assert cause.suspicion >= thresholds.SUSPICIOUS


@pytest.mark.parametrize("helps", [True, False])
def test_a_network_that_stands_still_has_a_cause_where_a_change_helps(helps: bool) -> None:
    """A setting that is not suspicious is tried, too; where nothing helps, the data allow no more."""
    config = resolve({**MLP, "dataset": "spirals", "hidden": "7", "epochs": 12})
    # Of three classes, 0.6 is no little of what there is to learn.
    told = ended([1.05, 0.9] + [0.8] * 10, 0.6)
    flat = Epochs.of([msgspec.structs.replace(epoch, val_metric=0.6) for epoch in told])
    data = load(config, lambda message, fraction: None, lambda: False)

    def trial(tried: RunConfig, _: object) -> Epochs:
        metric = 0.95 if helps and tried.hidden == (32,) else 0.6
        return Epochs.of([events.EpochEnded(e.epoch, e.step, 0.1, 0.1, metric, metric, 1.0) for e in flat])

    patient = Patient(config, data, flat, False, 120, ())
    found = doctor.examine(patient, trial, lambda message, fraction: None).findings
    if not helps:
        assert found == ()
        return
    cause, stalled = found
    assert (cause.rule, cause.remedy) == ("underfitting", {"hidden": (32,)})
    assert (stalled.rule, stalled.because_of, stalled.remedy) == ("stalled", "underfitting", {})


@pytest.mark.parametrize(("tanh", "wanted"), [(0.99, "tanh"), (0.93, "relu"), (0.5, "relu")])
def test_of_two_remedies_of_one_cause_the_better_is_offered(tanh: float, wanted: str) -> None:
    config = resolve({**MLP, "dataset": "moons", "activation": "identity", "epochs": 12})
    flat = ended([0.6] * 12, 0.6)
    reached = {"relu": 0.92, "tanh": tanh}

    def trial(tried: RunConfig, _: object) -> Epochs:
        metric = reached.get(tried.activation, 0.6)
        return Epochs.of([events.EpochEnded(e.epoch, e.step, 0.1, 0.1, metric, metric, 1.0) for e in flat])

    patient = Patient(config, load(config, lambda message, fraction: None, lambda: False), flat, False, 120, ())
    cause = doctor.examine(patient, trial, lambda message, fraction: None).findings[0]
    assert (cause.rule, cause.remedy) == ("no-activation", {"activation": wanted})


def test_every_threshold_has_a_source_and_stands_in_one_table() -> None:
    names = {name for name in vars(thresholds) if name.isupper() and name not in ("LIMITS", "AT_START", "NUMBERS", "N")}
    assert {name for name in names if not name.startswith("_")} == set(thresholds.NUMBERS)
    assert all(source for _, source in thresholds.NUMBERS.values())
    for table in (thresholds.LIMITS, thresholds.AT_START):
        assert all(limit.source for limit in table.values())

"""The check before a run's first step: told beside what is found later, and never felt by the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from looks import layer, looked

from d2ltui.data import Dataset, load
from d2ltui.diagnosis.at_start import OF_DATA, beside
from d2ltui.diagnosis.monitor import Monitor
from d2ltui.engine import trainer
from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import resolve
from d2ltui.spec.models import MODELS
from tests.selection import long_unless

CPU = {"device": "cpu", "threads": 1, "hidden": "16"}
QUICK = {**CPU, "dataset": "moons", "epochs": 1}


def found(rule: str, severity: events.Severity = "alarm", because_of: str = "", **remedy: object) -> events.Finding:
    return events.Finding(rule, severity, None, 0, 1.0, f"{rule}.", "why", "try", remedy, because_of)


def in_short(findings: tuple[events.Finding, ...]) -> list[str]:
    return [f"{one.rule}<{one.because_of}" if one.because_of else one.rule for one in findings]


SYMMETRY = (found("symmetry", init="kaiming"), found("initialisation", "warning", "symmetry"))


@pytest.mark.parametrize(
    ("now", "start", "seen_at_start", "told"),
    [
        ((), SYMMETRY, (), ["symmetry", "initialisation<symmetry"]),
        # What was there before the first step follows from the cause; what came later has causes of its own.
        ((found("vanishing-gradient", init="kaiming", activation="relu"),), SYMMETRY, ("vanishing-gradient",),
         ["symmetry", "initialisation<symmetry", "vanishing-gradient<symmetry"]),
        ((found("overfitting", "warning", dropout=0.5),), SYMMETRY, (),
         ["symmetry", "initialisation<symmetry", "overfitting"]),
        # Nothing twice: what is found now is newer.
        ((found("exploding-gradient", lr=0.1),), (found("exploding-gradient", lr=0.01),), ("exploding-gradient",),
         ["exploding-gradient"]),
        # No two remedies against each other, whatever follows from the one that is left out.
        ((found("learning-rate-low", "warning", lr=1.0),),
         (found("exploding-gradient", lr=0.01), found("initialisation", "warning", "exploding-gradient")), (),
         ["learning-rate-low"]),
        # Data are wrong beside everything else, and nothing in the network follows from that for certain.
        ((found("saturation", "warning", init="xavier"),), (found("data-scale"),), ("saturation",),
         ["data-scale", "saturation"]),
        ((found("divergence", lr=0.1),), (found("label-imbalance", "warning"),), (), ["divergence", "label-imbalance"]),
        # Before any step, no rate makes a loss that is not finite.
        ((found("divergence", lr=0.1),), (found("data-scale"),), ("divergence",),
         ["data-scale", "divergence<data-scale"]),
        ((found("no-activation", "note"),), SYMMETRY, ("no-activation",),
         ["symmetry", "initialisation<symmetry", "no-activation"]),
    ],
)  # fmt: skip
def test_each_thing_is_told_once_and_no_two_remedies_contradict_each_other(
    now: tuple[events.Finding, ...], start: tuple[events.Finding, ...], seen_at_start: tuple[str, ...], told: list[str]
) -> None:
    assert in_short(beside(now, start, seen_at_start)) == told
    assert all(not one.remedy for one in beside(now, start, seen_at_start) if one.because_of)


class Told(list[events.Event]):
    """The events of a run, its end, and the network that it has trained."""

    def __init__(self, change: Callable[[Dataset], Dataset] = lambda data: data, diagnose: bool = True, **given: Any):
        super().__init__()
        config = resolve({**QUICK, **given})
        trained = Trainer(config, Control(), [self.append], dataset=change(load(config)), diagnose=diagnose)
        self.ended = trained.run()
        self.weights = trained.network.state()

    @property
    def before_the_first_step(self) -> list[events.Finding]:
        """What was told last, of all findings, before a step was trained."""
        first = next(i for i, event in enumerate(self) if isinstance(event, events.StepsTrained))
        told = [event.findings for event in self[:first] if isinstance(event, events.FindingsChanged)]
        return [one for one in (told or [()])[-1] if one.severity != "note"]

    @property
    def findings(self) -> list[events.Finding]:
        told = [event.findings for event in self if isinstance(event, events.FindingsChanged)]
        return [one for one in (told or [()])[-1] if one.severity != "note"]


def _scaled(data: Dataset) -> Dataset:
    return dataclasses.replace(data, x_train=data.x_train * 300, x_val=data.x_val * 300)


def _with_nan(data: Dataset) -> Dataset:
    return dataclasses.replace(data, x_train=data.x_train.clone().index_fill_(0, torch.tensor(3), torch.nan))


@pytest.mark.parametrize(
    ("rule", "change", "given"),
    [
        ("symmetry", lambda data: data, {"init": "zeros"}),
        ("initialisation", lambda data: data, {"init": "normal", "init_std": 1e-4, "hidden": "16,16,16"}),
        ("data-scale", _scaled, {}),
        ("data-scale", _with_nan, {}),
    ],
)
def test_what_is_wrong_is_told_before_the_first_step(
    rule: str, change: Callable[[Dataset], Dataset], given: dict[str, Any]
) -> None:
    told = Told(change, **given)
    first, *others = told.before_the_first_step
    assert (first.rule, first.step) == (rule, 0)
    independent = {one.rule for one in others if not one.because_of}
    assert not independent or rule == "data-scale"
    rules = [one.rule for one in told.before_the_first_step]
    assert len(rules) == len(set(rules))


def _defaults() -> list[dict[str, str]]:
    embedded = [name for name, info in catalogue.DATASETS.items() if info.embedded]
    return [
        {"model": model.name, "dataset": dataset, "implementation": implementation, "activation": activation}
        for model in MODELS.values()
        for dataset in catalogue.datasets_for(model.name)
        if dataset in embedded
        for implementation in model.implementations
        for activation in (("relu", "sigmoid") if "activation" in model.fields else ("relu",))
    ]


@pytest.mark.parametrize(
    "given",
    long_unless(lambda given: given["dataset"] in ("synthetic-linear", "moons"), _defaults()),
    ids=lambda given: "-".join(given.values()),
)
def test_of_a_run_with_defaults_the_check_has_nothing_to_tell(given: dict[str, str]) -> None:
    fields = ("model", "dataset", "implementation", *MODELS[given["model"]].fields)
    config = resolve({"device": "cpu", "threads": 1, **{name: given[name] for name in given if name in fields}})
    control = Control("pause")
    changes: list[events.FindingsChanged] = []

    def sink(event: events.Event) -> None:
        if isinstance(event, events.FindingsChanged):
            changes.append(event)
        if isinstance(event, events.StatusChanged) and event.status == "training":
            control.stop()

    assert Trainer(config, control, [sink], diagnose=True).run().status == "stopped"
    assert len(changes) <= 1, "the first look may have something to tell, and the check nothing beside it"
    assert not {one.rule for change in changes for one in change.findings} & {"symmetry", "initialisation", *OF_DATA}


def test_the_run_is_the_same_to_the_last_bit() -> None:
    given = {"dropout": 0.5, "hidden": "32,16", "epochs": 3, "dataset": "digits"}
    with_check, without = Told(**given), Told(diagnose=False, **given)
    assert with_check.weights.keys() == without.weights.keys()
    assert all(torch.equal(value, without.weights[name]) for name, value in with_check.weights.items())
    steps = [[event for event in told if isinstance(event, events.StepsTrained)] for told in (with_check, without)]
    losses = [[loss for block in blocks for loss in block.losses.tolist()] for blocks in steps]
    assert losses[0] == losses[1]


def test_a_check_that_fails_is_told_once_and_the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ArithmeticError("no luck")

    monkeypatch.setattr(trainer, "check_start", broken)
    told = Told()
    failures = [event for event in told if isinstance(event, events.ObserverFailed)]
    assert [(one.step, one.observer, one.message) for one in failures] == [
        (0, "the check before the first step", "ArithmeticError: no luck")
    ]
    assert told.ended.status == "finished"


def test_what_was_told_is_taken_back_when_the_network_learns() -> None:
    config = resolve(QUICK)
    monitor = Monitor(config, catalogue.layer_plan(config))
    assert monitor.look(looked(0, layer(1, gradient_norm=1.0, weight_norm=1.0), loss=0.7), [], 0.1) is None
    begun = monitor.begin(SYMMETRY)
    assert begun is not None
    assert in_short(begun.findings) == ["symmetry", "initialisation<symmetry"]
    assert monitor.look(looked(50, layer(1, gradient_norm=1.0, weight_norm=1.0), loss=0.69), [], 0.1) is None
    learns = monitor.look(looked(100, layer(1, gradient_norm=1.0, weight_norm=1.0), loss=0.3), [], 0.1)
    assert learns is not None
    assert learns.findings == ()
    again = monitor.look(looked(150, layer(1, gradient_norm=1.0, weight_norm=1.0), loss=0.69), [], 0.1)
    assert again is None, "whatever happens now, the start is not to blame"


def test_the_doctor_has_the_last_word() -> None:
    told = Told(init="zeros", dataset="digits", hidden="32", epochs=6)
    assert [one.rule for one in told.before_the_first_step if not one.because_of] == ["symmetry"]
    cause, *others = told.findings
    assert (cause.rule, cause.step) == ("symmetry", told.ended.summary["steps"])
    assert all(one.because_of == "symmetry" for one in others)


def test_data_that_are_not_finite_are_the_cause_from_the_start_to_the_end() -> None:
    told = Told(_with_nan)
    assert told.ended.status == "diverged"
    for findings in (told.before_the_first_step, told.findings):
        assert in_short(tuple(findings)) == ["data-scale", "divergence<data-scale"]
        assert "The inputs hold values that are not finite" in findings[0].what


def test_a_resumed_run_is_not_checked_again() -> None:
    """Its network has been trained: there is no start to speak of."""
    config = resolve({**QUICK, "init": "zeros"})

    class Keeper:
        idle, took = True, 0.0
        last: Any = None

        def keep(self, checkpoint: Any) -> None:
            self.last = checkpoint

    keeper, control = Keeper(), Control("step")
    stopping = [lambda event: control.stop() if isinstance(event, events.StepsTrained) else None]
    Trainer(config, control, stopping, keeper=keeper).run()
    assert keeper.last.step == 1
    seen: list[events.Event] = []
    Trainer(config, Control(), [seen.append], resume=lambda: keeper.last, diagnose=True).run()
    early = [one for one in seen if isinstance(one, events.FindingsChanged) and one.step <= 1]
    assert not [one for change in early for one in change.findings if one.rule == "symmetry"]

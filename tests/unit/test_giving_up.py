"""Runs that have learned nothing and will not are given up, at the same step each time; all others are left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from looks import layer, looked

from d2ltui.cli import inspect
from d2ltui.engine.control import Control
from d2ltui.engine.giving_up import LOOKS, GivingUp
from d2ltui.engine.trainer import Trainer
from d2ltui.history.epochs import Epochs
from d2ltui.runner import together
from d2ltui.spec import events
from d2ltui.spec.config import resolve
from d2ltui.store import listing
from tests.commands import Command
from tests.selection import long_after

CPU = {"device": "cpu", "threads": 1}


class Story:
    """Tells a `GivingUp` of made-up epochs: `tell(epoch, loss, metric, gradients)`."""

    def __init__(self, **given: Any) -> None:
        self.config = resolve({**CPU, "epochs": 100, **given})
        self.looks = 0
        self.why: list[events.Finding] = []
        self._now: tuple[float, tuple[float, ...], float] = (0.0, (), 0.0)
        classes = 10 if self.config.task == "classification" else 0
        self.failures: list[str] = []
        self._judge = GivingUp(self.config, classes, 2.3, self._look, self.why.append, self._failed)

    def _failed(self, observer: str, error: Exception) -> None:
        self.failures.append(f"{observer}: {error}")

    def _look(self, step: int) -> events.LayersProbed:
        self.looks += 1
        loss, gradients, dead = self._now
        layers = [layer(2 * i + 1, gradient_norm=norm, weight_norm=1.0) for i, norm in enumerate(gradients)]
        return looked(step, *layers, layer(9, "ReLU", kind="activation", dead=dead), loss=loss)

    def until_given_up(
        self,
        loss: Any = lambda epoch: 2.3,
        metric: Any = lambda epoch: 0.1,
        gradients: Any = lambda epoch: (0.1, 0.1),
        dead: float = 0.0,
    ) -> int | None:
        """The epoch after which it is; None where it never is."""
        for epoch in range(1, self.config.epochs + 1):
            self._now = loss(epoch), gradients(epoch), dead
            ended = events.EpochEnded(epoch, 10 * epoch, loss(epoch), loss(epoch), metric(epoch), metric(epoch), 0.0)
            if self._judge.after(Epochs.of([ended]), 2.3) is not None:
                return epoch
        return None


def test_what_does_not_move_is_given_up_before_half_of_it_is_done() -> None:
    story = Story()
    assert story.until_given_up() == 35
    (why,) = story.why
    assert (why.rule, why.severity, why.step, why.remedy) == ("not-learning", "alarm", 350, {})
    assert "accuracy is 0.1, no better than a guess after epoch 35 of 100, at step 350" in why.what
    assert "was 2.3 after epoch 15 and is 2.3" in why.why


def test_what_has_no_gradient_is_given_up_at_once() -> None:
    story = Story()
    assert story.until_given_up(gradients=lambda epoch: (0.0, 0.0), dead=1.0) == 10
    assert [(why.rule, why.layer) for why in story.why] == [("dead-relu", 9)]
    story = Story(schedule="cosine")
    assert story.until_given_up(gradients=lambda epoch: (0.0, 0.0)) == 10, "no rate moves what has no gradient"
    assert [why.rule for why in story.why] == ["vanishing-gradient"]


def growing(epoch: int) -> tuple[float, ...]:
    return 1e-4 * 1.02**epoch, 0.1


def test_what_has_run_away_is_given_up_at_once() -> None:
    story = Story(lr=3)
    assert story.until_given_up(loss=lambda epoch: 1e4) == 10
    assert [(why.rule, why.remedy) for why in story.why] == [("divergence", {"lr": 0.1})]
    assert Story().until_given_up(loss=lambda epoch: 1e4 if epoch % 10 else 2.0, gradients=growing) is None


@pytest.mark.parametrize(
    "told",
    [
        {"metric": lambda epoch: 0.3},  # knows something
        {"metric": lambda epoch: 0.3, "loss": lambda epoch: 1e4},  # however large its loss is
        {"metric": lambda epoch: 0.3 if epoch % 15 == 0 else 0.1},  # now and then
        {"loss": lambda epoch: 2.3 - 0.002 * epoch},  # on its way, slowly
        {"gradients": lambda epoch: (1e-4 * 1.02**epoch, 0.1)},  # a plateau that it is about to leave
        {"gradients": lambda epoch: (0.0, 0.0) if epoch == 40 else (1e-4 * 1.02**epoch, 0.1)},  # chance
    ],
)
def test_who_may_yet_learn_is_left_alone(told: dict[str, Any]) -> None:
    assert Story().until_given_up(**told) is None


def test_who_cannot_be_judged_is_left_alone_and_it_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(self: Story, step: int) -> events.LayersProbed:
        self.looks += 1
        raise MemoryError("no room")

    monkeypatch.setattr(Story, "_look", look)
    story = Story()
    assert story.until_given_up() is None
    assert story.failures == ["judging whether the run will learn: no room"]
    assert story.looks == 1


def test_a_rate_that_will_change_leaves_hope() -> None:
    assert Story(schedule="cosine").until_given_up() is None
    assert Story(schedule="cosine").until_given_up(loss=lambda epoch: 1e4) is None


def test_a_network_that_learns_is_never_looked_at() -> None:
    story = Story()
    assert story.until_given_up(metric=lambda epoch: 0.5) is None
    assert story.looks == 0
    story = Story(epochs=1000)
    assert story.until_given_up(loss=lambda epoch: 2.3 - 0.001 * epoch) is None
    assert story.looks == LOOKS - 1


@pytest.mark.parametrize(("epochs", "given_up"), [(1, None), (2, None), (3, None), (4, 3), (8, 4)])
def test_short_runs(epochs: int, given_up: int | None) -> None:
    assert Story(epochs=epochs).until_given_up() == given_up


def test_a_linear_model_has_no_plateau() -> None:
    assert Story(model="linear").until_given_up(metric=lambda epoch: -1.0, gradients=lambda epoch: (1.1**epoch,)) == 35


SICK = {**CPU, "hidden": "16", "epochs": 12, "dataset": "digits"}


@pytest.mark.parametrize("given", long_after(1, [{"lr": 1e-6}, {"lr": 30.0, "momentum": 0.9, "optimizer": "momentum"}]))
def test_the_same_run_is_given_up_at_the_same_step(given: dict[str, Any]) -> None:
    ends = []
    for _ in range(2):
        why: list[events.Finding] = []
        ended = Trainer(resolve({**SICK, **given}), Control(), [], sample_every=None, give_up=why.append).run()
        assert ended.status == "stopped"
        assert why[0].step == ended.summary["steps"]
        assert why[0].what in ended.message
        ends.append((why, ended.message))
    assert ends[0] == ends[1]


def test_nothing_is_given_up_where_nobody_asks_for_it() -> None:
    assert (
        Trainer(resolve({**SICK, "lr": 1e-6, "epochs": 4}), Control(), [], sample_every=None).run().status == "finished"
    )


# The command


Sweep = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def sweep(command: Command) -> Sweep:
    def run(*arguments: str, store: bool = False) -> tuple[int, list[str]]:
        options = ("--hidden", "16", "--epochs", "12", "--device", "cpu", "--threads", "1")
        unstored = ["--no-store"] * (not store)
        status, out, _ = command("sweep", "--lr", "1e-6,0.1", *options, *unstored, *arguments)
        return status, out.splitlines()

    return run


def test_a_sweep_says_what_was_pruned_why_and_what_that_has_saved(sweep: Sweep) -> None:
    status, lines = sweep("--prune", "--json")
    assert status == 0
    assert [line.split()[:2] for line in lines[1:3]] == [["1e-6", "pruned"], ["0.1", "finished"]]
    assert lines[5] == "pruned at step 225 of 540 (lr 1e-6)"
    assert lines[6].startswith("    not-learning: The network learns nothing: validation accuracy is ")
    assert lines[7].startswith("1 of 2 runs pruned: 315 steps saved, 29 %, and about ")
    found = json.loads(lines[-1])
    first, second = found["runs"]
    assert (first["status"], first["steps"], second["status"], second["pruned"]) == ("stopped", 225, "finished", None)
    assert (first["pruned"]["step"], first["pruned"]["rule"]) == (225, "not-learning")
    assert found["best"]["lr"] == 0.1
    saved = found["pruned"]
    assert (saved["runs"], saved["steps_saved"]) == (1, 315)
    assert saved["share_of_steps"] == pytest.approx(315 / 1080)
    assert 0 <= saved["share_of_time"] < 1  # on a busy machine, no time may have been saved

    _, lines = sweep("--json")
    without = json.loads(lines[-1])
    assert [run["status"] for run in without["runs"]] == ["finished", "finished"]
    assert without.keys() == found.keys() - {"pruned"}
    assert all(run.keys() == {*first} - {"pruned"} for run in without["runs"])
    assert without["best"]["steps"] == found["best"]["steps"]
    for name in ("train_loss", "val_loss", "val_accuracy"):  # those of one population, and of a run by itself
        assert without["best"][name] == pytest.approx(found["best"][name], rel=1e-4)


@pytest.mark.parametrize("at_once", [True, False])
def test_what_is_stored_of_a_pruned_run_says_that_it_was_pruned_and_why(
    sweep: Sweep, at_once: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if not at_once:
        monkeypatch.setattr(together, "slices", lambda configs: ((index,) for index in range(len(configs))))
    sweep("--prune", "--quiet", store=True)
    (row,) = (run for run in listing.runs() if run.status == "stopped")
    assert (row.status, row.pruned, row.findings[0].rule) == ("stopped", True, "not-learning")
    assert row.message.startswith("pruned after step 225: The network learns nothing: validation accuracy is ")
    inspect.list_runs([], as_json=False)
    assert f"{row.name}: {row.message}" in capfd.readouterr().out.splitlines()
    assert sum(finding.rule == "not-learning" for finding in row.findings) == 1


def test_where_all_are_pruned_there_is_no_best_one(sweep: Sweep) -> None:
    status, lines = sweep("--prune", "--json", "--quiet", "--init", "zeros")
    found = json.loads(lines[-1])
    assert (status, found["n"], found["best"], found["pruned"]["runs"]) == (0, 0, None, 2)
    assert {run["pruned"]["rule"] for run in found["runs"]} == {"dead-relu"}


def test_together_and_one_by_one_the_same_runs_are_pruned_at_the_same_steps(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("--prune", "--json", "--quiet", "--lr", "1e-4,30")
    told = []
    for alone in (False, True):
        if alone:
            monkeypatch.setattr(together, "slices", lambda configs: ((index,) for index in range(len(configs))))
        _, lines = sweep(*given)
        runs = json.loads(lines[-1])["runs"]
        pruned = [run["pruned"] and (run["pruned"]["step"], run["pruned"]["rule"]) for run in runs]
        told.append([(run["lr"], run["status"], why) for run, why in zip(runs, pruned, strict=True)])
    assert told[0] == told[1]
    assert [status for _, status, _ in told[0]] == ["stopped", "finished", "stopped", "stopped"]

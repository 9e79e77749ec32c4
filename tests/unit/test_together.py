"""Runs that are trained together: each tells, finds and stores what its own trainer would."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from graph_stand_in import StandIn
from runs import Tape, run

from d2ltui.data import load
from d2ltui.engine import checkpoint as checkpoints
from d2ltui.engine import launches
from d2ltui.engine import population as population_module
from d2ltui.engine.checkpoint import Checkpoint
from d2ltui.engine.control import Control
from d2ltui.engine.device_choice import Choice
from d2ltui.engine.member import Member
from d2ltui.engine.population import Population
from d2ltui.engine.trainer import Trainer
from d2ltui.runner import together
from d2ltui.runner.together import slices, train_slice
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.store import home
from d2ltui.store.reader import RunReader
from tests.commands import Command
from tests.failing_device import memory_runs_out

CIRCLES = {"dataset": "circles", "hidden": "8,6", "batch_size": 200, "epochs": 6, "device": "cpu", "threads": 1}


class Keeper:
    """Takes checkpoints into a list."""

    idle, took = True, 0.0

    def __init__(self) -> None:
        self.kept: list[Checkpoint] = []
        self.store = Tape()

    def keep(self, checkpoint: Checkpoint) -> None:
        self.kept.append(checkpoint)

    def close(self) -> bool:
        return True


def train(
    configs: Sequence[RunConfig], *, control: Control | None = None, graphs: StandIn | None = None, **acts: object
) -> tuple[list[Tape], list[Keeper]]:
    """All of them together. `acts`: by "member_step", what to call once that member has told of that step."""
    keepers = [Keeper() for _ in configs]
    controls = [Control() for _ in configs]

    def acting(index: int, told: events.Event) -> None:
        if isinstance(told, events.StepsTrained):
            for name, act in list(acts.items()):
                member, step = map(int, name.strip("_").split("_"))
                if member == index and told.step >= step:
                    del acts[name]
                    act(controls[index])  # type: ignore[operator]

    sinks = [[lambda told, i=i: acting(i, told)] for i in range(len(configs))]
    assert train_slice(configs, control or Control(), sinks, controls, keepers, graphs=lambda device: graphs)  # type: ignore[arg-type]
    return [keeper.store for keeper in keepers], keepers


def looks(tape: Tape) -> list[events.LayersProbed]:
    """Those at the start and at the end, where the clock may have decided on one, too, just before."""
    last = max((event.step for event in tape.of(events.StepsTrained)), default=0)
    return list({look.step: look for look in tape.of(events.LayersProbed) if look.step in (0, last)}.values())


def looks_of_both(tape: Tape, other: Tape) -> list[tuple[events.LayersProbed, events.LayersProbed]]:
    """The looks after the same steps: the clock decides on those between the start and the end."""
    mine, others = ({look.step: look for look in each.of(events.LayersProbed)} for each in (tape, other))
    assert {look.step for look in looks(tape)} | {look.step for look in looks(other)} <= mine.keys() & others.keys()
    return [(look, others[step]) for step, look in mine.items() if step in others]


def kinds(tape: Tape) -> list[str]:
    """The kinds of its events in order, each block of steps once; without looks that the clock decides on."""
    names = [
        type(event).__name__
        for event in tape.events
        if not isinstance(event, events.Loading)
        and not (isinstance(event, events.LayersProbed) and not any(event is look for look in looks(tape)))
    ]
    return [name for i, name in enumerate(names) if name != "StepsTrained" or names[i - 1] != name]


def test_members_whose_steps_are_graphs_tell_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launches, "LAUNCH", 10.0)
    configs = [resolve({**CIRCLES, "batch_size": 30, "seed": seed, "optimizer": "adam"}) for seed in (0, 1, 2)]
    stand_in = StandIn()
    for tape, other in zip(train(configs, graphs=stand_in)[0], train(configs)[0], strict=True):
        assert kinds(tape) == kinds(other)
        np.testing.assert_array_equal(tape.losses, other.losses)
        for here, there in looks_of_both(tape, other):
            assert here.loss == there.loss
    assert stand_in.captures == 3


def test_members_whose_steps_cannot_be_recorded_say_why_once() -> None:
    configs = [resolve({**CIRCLES, "dropout": 0.2, "seed": seed}) for seed in (0, 1)]
    for tape in train(configs, graphs=StandIn())[0]:
        (note,) = tape.of(events.Noted)
        assert note.sentence.endswith("a graph of the step: each network's dropout is drawn on the processor")


@pytest.mark.parametrize(
    "given",
    [CIRCLES, {**CIRCLES, "implementation": "scratch", "dropout": 0.2}, {"model": "linear", "dataset": "diabetes"}],
    ids=["mlp", "scratch", "linear"],
)
def test_members_tell_what_their_own_runs_tell(given: dict[str, object]) -> None:
    configs = [resolve({**given, "device": "cpu", "epochs": 4, "seed": seed}) for seed in (0, 1)]
    tapes, _ = train(configs)
    for config, tape in zip(configs, tapes, strict=True):
        _, single = run(config, diagnose=True, trials=False)
        assert kinds(tape) == kinds(single)
        np.testing.assert_allclose(tape.losses, single.losses, rtol=1e-4)
        for here, there in looks_of_both(tape, single):
            assert here.loss == pytest.approx(there.loss, rel=1e-4)
            assert [layer.zeros for layer in here.layers] == [layer.zeros for layer in there.layers]
        found = [[finding.rule for finding in one.findings] for one in tape.of(events.FindingsChanged)]
        assert found == [[finding.rule for finding in one.findings] for one in single.of(events.FindingsChanged)]
        mine, own = dict(tape.ended.summary), dict(single.ended.summary)
        for summary in (mine, own):
            for name in ("seconds", "steps_per_s"):
                assert float(str(summary.pop(name))) > 0
        for summary in (mine, own):
            if isinstance(parameters := summary.pop("parameters", None), dict):
                summary |= parameters
        assert list(mine) == list(own)
        for name, value in own.items():
            plain = isinstance(value, (str, int)) or value is None
            assert mine[name] == (value if plain else pytest.approx(value, rel=1e-4))


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "rmsprop"])
def test_a_member_that_was_stopped_goes_on_alone(optimizer: str, tmp_path: Path) -> None:
    """In the middle of an epoch, with its weights, its optimiser's state, its data order and its dropout."""
    given = {**CIRCLES, "optimizer": optimizer, "weight_decay": 0.001, "dropout": 0.1}
    configs = [resolve({**given, "seed": seed}) for seed in (3, 4)]
    control = Control()
    _, keepers = train(configs, control=control, _1_8=lambda own: control.stop())
    for config, keeper in zip(configs, keepers, strict=True):
        assert keeper.store.ended.status == "stopped"
        kept = keeper.kept[-1]
        assert kept.step == keeper.store.ended.summary["steps"]
        with open(tmp_path / "checkpoint", "wb") as file:
            kept.write(file)
        stored = checkpoints.read(tmp_path / "checkpoint", config)
        resumed = Trainer(config, Control(), [], resume=lambda stored=stored: stored)
        assert resumed.run().status == "finished"
        whole, _ = run(config)
        for name, value in whole.network.state().items():
            torch.testing.assert_close(resumed.network.state()[name], value, rtol=1e-3, atol=1e-5)


def test_members_that_begin_again_have_a_checkpoint_of_their_start_before_they_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process may be killed before their turn comes: what is resumed then is the run from its start."""
    monkeypatch.setattr(together, "EPOCH_EVERY", 0.0)
    monkeypatch.setattr(together, "SHARE", math.inf)  # a checkpoint after each epoch, as in a longer run
    evaluate = Population.evaluate

    def evaluating(population: Population) -> tuple[np.ndarray, np.ndarray]:
        if len(population.configs) > 1 and population.step > 10:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.")
        return evaluate(population)

    monkeypatch.setattr(Population, "evaluate", evaluating)
    monkeypatch.setattr(Keeper, "keep", lambda keeper, checkpoint: keeper.store.events.append(checkpoint))
    configs = [resolve({**CIRCLES, "dropout": 0.3, "seed": seed}) for seed in (0, 1)]
    tapes, _ = train(configs)
    for config, tape in zip(configs, tapes, strict=True):
        told: list[object] = list(tape.events)
        place = next(i for i, event in enumerate(told) if isinstance(event, events.RunResumed))
        before = [event for event in told[:place] if isinstance(event, Checkpoint)]
        assert max(one.step for one in before) > 0
        kept = before[-1]
        assert (kept.step, kept.epoch) == (0, 1)
        resumed = Trainer(config, Control(), again := [Tape()], resume=lambda kept=kept: kept)
        assert resumed.run().status == "finished"
        assert again[0].losses == pytest.approx(run(config)[1].losses, rel=1e-6)


def test_members_that_wait_for_their_turn_are_stopped_and_keep_the_rate_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four begin again as two and two: the third is stopped while the first two train; the fourth has another rate."""
    memory_runs_out(monkeypatch, lambda population: len(population.configs) > 2)
    monkeypatch.setattr(population_module, "PUBLISH_EVERY", 0.0)
    configs = [resolve({**CIRCLES, "seed": seed}) for seed in range(4)]
    controls = [Control() for _ in configs]
    tapes = [Tape() for _ in configs]

    def act(event: events.Event) -> None:
        if isinstance(event, events.RunResumed):
            controls[2].stop()
            controls[3].set_lr(0.03)

    sinks = [[tapes[0], act], *([tape] for tape in tapes[1:])]
    assert train_slice(configs, Control(), sinks, controls, [None] * 4)
    assert [tape.ended.status for tape in tapes] == ["finished", "finished", "stopped", "finished"]
    told = tapes[2].events
    place = next(i for i, event in enumerate(told) if isinstance(event, events.RunResumed))
    assert not any(isinstance(event, events.StepsTrained) for event in told[place:])
    assert [event.lr for event in tapes[3].of(events.LearningRateChanged)][-1] == 0.03


def test_a_member_that_is_to_pause_after_an_epoch_does_not_after_the_last() -> None:
    configs = [resolve({**CIRCLES, "epochs": 2, "seed": seed}) for seed in (0, 1)]
    tapes, _ = train(configs, _0_5=Control.epoch)  # within the second of two epochs of four steps
    assert [tape.ended.status for tape in tapes] == ["finished", "finished"]
    assert not [event for event in tapes[0].of(events.StatusChanged) if event.status == "paused"]


def test_each_member_obeys_its_own_control(monkeypatch: pytest.MonkeyPatch) -> None:
    configs = [resolve({**CIRCLES, "seed": seed, "epochs": 40}) for seed in range(3)]
    tapes, keepers = train(configs, _0_20=Control.stop, _1_40=lambda own: own.set_lr(0.5))
    assert [tape.ended.status for tape in tapes] == ["stopped", "finished", "finished"]
    assert 20 <= int(str(tapes[0].ended.summary["steps"])) < 160
    (changed,) = tapes[1].of(events.LearningRateChanged)
    assert changed.lr == 0.5
    assert keepers[1].kept[-1].lr == 0.5
    assert not tapes[2].of(events.LearningRateChanged)
    _, single = run(configs[2])
    np.testing.assert_allclose(tapes[2].losses, single.losses, rtol=1e-4)
    assert not np.allclose(tapes[1].losses[-20:], run(configs[1])[1].losses[-20:], rtol=1e-3)


def test_one_that_diverges_ends_there_and_the_others_go_on() -> None:
    configs = [resolve({**CIRCLES, "lr": lr}) for lr in (0.1, 1e30)]
    tapes, keepers = train(configs)
    assert [tape.ended.status for tape in tapes] == ["finished", "diverged"]
    _, single = run(configs[1])
    assert tapes[1].ended.message == single.ended.message
    assert tapes[1].ended.summary["steps"] == single.ended.summary["steps"]
    assert [kept.step for kept in keepers[1].kept] == [0]  # broken weights are not worth the place of good ones
    assert tapes[1].of(events.FindingsChanged)[-1].findings[0].rule == "divergence"


def test_what_cannot_be_together_is_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def of(*given: dict[str, object]) -> list[tuple[int, ...]]:
        return list(slices([resolve({**CIRCLES, **one}) for one in given]))

    tanh: dict[str, object] = {"activation": "tanh"}
    assert of({}, tanh, {"lr": 1}, {**tanh, "seed": 5}) == [(0, 2), (1, 3)]
    assert of({"hidden": "2000,2000"}, {"hidden": "2000,2000", "lr": 1}) == [(0,), (1,)]  # bound by what it computes
    assert of({"dropout": 0.1}, {"dropout": 0}) == [(0,), (1,)]
    monkeypatch.setattr(together, "MOST", 2)
    assert of({"seed": 1}, {"seed": 2}, {"seed": 3}) == [(0, 1), (2,)]


def test_where_they_cannot_be_prepared_together_nothing_has_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise MemoryError

    monkeypatch.setattr(together, "Population", full)
    config = resolve(CIRCLES)
    tape = Tape()
    assert not train_slice([config], Control(), [[tape]], [Control()], [None])
    assert kinds(tape) == ["StatusChanged"]


def test_where_a_later_one_cannot_be_prepared_no_run_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them is trained by itself then, and tells of its beginning once."""
    prepare = Member.prepare

    def fails(self: Member, *given: Any) -> None:
        if self.config.seed == 1:
            raise MemoryError
        prepare(self, *given)

    monkeypatch.setattr(Member, "prepare", fails)
    tapes = [Tape(), Tape()]
    configs = [resolve({**CIRCLES, "seed": seed}) for seed in (0, 1)]
    assert not train_slice(configs, Control(), [[tape] for tape in tapes], [Control(), Control()], [None, None])
    assert [kinds(tape) for tape in tapes] == [["StatusChanged"]] * 2


def test_every_seed_is_stored_as_a_run(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("D2LTUI_HOME", str(tmp_path))
    options = ("--dataset", "circles", "--hidden", "6", "--epochs", "3", "--batch-size", "200", "--device", "cpu")
    status, out, _ = command("train", "--seeds", "3", "--json", "--init", "zeros", *options)
    assert status == 0
    summary = json.loads(out.splitlines()[-1])
    assert [one["run"] for one in summary["runs"]] == ["mlp-circles-1", "mlp-circles-2", "mlp-circles-3"]
    for index, one in enumerate(summary["runs"]):
        path = home.path_of(one["run"])
        with RunReader(path) as reader:
            live = reader.live
            assert live.config.seed == index
            assert live.status == "finished"
            assert len(live.losses) == one["steps"] == 12
            assert [epoch.val_loss for epoch in live.epochs][-1] == one["val_loss"]
            assert len(live.probes) == 2
            assert "vanishing-gradient" in {finding.rule for finding in live.findings}
            assert reader.meta["group"] == {"name": summary["group"], "kind": "seeds", "index": index + 1, "total": 3}
        kept = checkpoints.read(path / home.CHECKPOINT, live.config)
        assert (kept.step, kept.epoch, kept.batch) == (12, 4, 0)
        assert all(math.isfinite(float(value.sum())) for value in kept.model.values())


SICK: dict[str, dict[str, object]] = {
    "learning-rate": {"lr": 1e-6},
    "symmetry": {"init": "zeros"},
    "initialisation": {"init": "normal", "init_std": 1e-4},
    "regularisation": {"weight_decay": 10.0},
    "rate": {"lr": 1e4},
}


@pytest.mark.parametrize("kind", SICK)
def test_a_member_that_has_learned_nothing_says_so_and_why_where_that_can_be_seen(kind: str) -> None:
    configs = [resolve({**CIRCLES, **SICK[kind], "seed": seed}) for seed in (0, 1)]
    tapes, _ = train(configs)
    for config, tape in zip(configs, tapes, strict=True):
        found = tape.of(events.FindingsChanged)[-1].findings
        cause, *others = [finding for finding in found if finding.severity != "note"]
        seen = {"symmetry": "symmetry", "initialisation": "initialisation", "rate": "divergence"}
        assert cause.rule == seen.get(kind, "not-learning")
        if cause.rule == "not-learning":
            assert "was not looked for" in cause.why, "nothing was tried, and nothing is claimed"
        assert all(other.because_of == cause.rule and not other.remedy for other in others)
        _, alone = run(config, diagnose=True, trials=False)
        rules = [(finding.rule, finding.severity) for finding in alone.of(events.FindingsChanged)[-1].findings]
        assert [(finding.rule, finding.severity) for finding in found] == rules


def test_members_that_learn_are_left_in_peace() -> None:
    tapes, _ = train([resolve({**CIRCLES, "lr": 0.3, "batch_size": 20, "epochs": 30, "seed": s}) for s in (0, 1)])
    for tape in tapes:
        told = tape.of(events.FindingsChanged)[-1]
        assert [finding for finding in told.findings if finding.severity != "note"] == []
        assert "inputs" in told.looked_at


def test_a_member_that_was_trained_on_a_gpu_is_resumed_there() -> None:
    """Its own network is on the CPU, wherever it is trained."""
    config = resolve({**CIRCLES, "device": "auto"})
    keeper = Keeper()
    member = Member(config, Control(), [], keeper)  # type: ignore[arg-type]
    data = load(config)
    member.prepare(data, torch.device("cuda:0"), "on the device", 1, None)
    member.join(Population([config], [data], torch.device("cpu"), Control()), 0)
    member.keep()
    assert {kept.device for kept in keeper.kept} == {"cuda"}
    assert keeper.kept


@pytest.mark.parametrize(("dropout", "joined"), [(0.0, True), (0.2, False)])
def test_dropout_is_left_to_each_run_by_itself_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch, dropout: float, joined: bool
) -> None:
    reached: list[torch.device] = []

    def begin(device: torch.device) -> None:
        reached.append(device)
        raise RuntimeError("no further: this machine may have a GPU, or none")

    monkeypatch.setattr(together, "choose", lambda *_: Choice(torch.device("cuda:0"), ""))
    monkeypatch.setattr(together, "make_current", begin)
    configs = [resolve({**CIRCLES, "dropout": dropout, "seed": seed}) for seed in (0, 1)]
    assert not train_slice(configs, Control(), [[], []], [Control(), Control()], [None, None])
    assert bool(reached) == joined

"""`--device auto`: the faster device is found by steps of the run itself, and the run is the same as without."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from graph_stand_in import StandIn
from runs import run, samples, short

from d2ltui.data import Dataset
from d2ltui.engine import device, device_choice, trainer, workbench
from d2ltui.engine.checkpoint import Checkpoint
from d2ltui.engine.control import Control
from d2ltui.engine.device import DeviceError, candidates
from d2ltui.engine.device_choice import Choice, StepsTried, Trial, choose
from d2ltui.runner import together
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve

BOTH = ("cuda:0", "cpu")
LONG = {"device": "auto", "epochs": 100_000, "dropout": 0.5, "model": "mlp", "dataset": "digits"}


def digits(**given: object) -> tuple[RunConfig, Dataset]:
    config = resolve({**LONG, **given})
    x, y = samples(config, 100, torch.float32)
    return config, Dataset(config.dataset_info, x, y, x[:50], y[:50])


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_choice, "_known", {})


class Bench(NamedTuple):
    """Devices on which a step takes so many seconds, an exception where one cannot be used; and who asked for them."""

    takes: dict[str, float | Exception]
    begun: list[str]
    closed: list[str]

    def attempt(self, config: RunConfig, data: Dataset, where: torch.device, go_on: Callable[[], None]) -> _Told:
        self.begun.append(str(where))
        takes = self.takes[str(where)]
        if isinstance(takes, Exception):
            raise takes
        return _Told(takes, lambda: self.closed.append(str(where)))


class _Told(NamedTuple):
    takes: float
    close: Callable[[], None]

    def seconds_a_step(self, least: int, seconds: float) -> float:
        torch.rand(3)
        return self.takes


def tried(takes: dict[str, float | Exception], **given: object) -> tuple[Choice, Bench]:
    bench = Bench(takes, [], [])
    return choose(*digits(**given), names=BOTH, attempt=bench.attempt), bench


@pytest.mark.parametrize(
    ("takes", "taken", "why"),
    [
        ((1 / 1300, 1 / 2700), "cpu", "device auto: cpu, with 2,700 steps/s of this network; cuda:0 makes 1,300"),
        ((1 / 1300, 1 / 90), "cuda:0", "device auto: cuda:0, with 1,300 steps/s of this network; cpu makes 90"),
        ((1 / 1300, 1 / 990), "cuda:0", "device auto: cuda:0, with 1,300 steps/s of this network; cpu makes 990"),
        ((1 / 13, 1 / 11), "cpu", "device auto: cpu, with 11 steps/s of this network; cuda:0 makes 13, hardly more"),
        ((RuntimeError("no kernel\nfor it"), 1e-3), "cpu", "device auto: cpu, since cuda:0 cannot be used: no kernel"),
        ((AssertionError(), 1e-3), "cpu", "device auto: cpu, since cuda:0 cannot be used: AssertionError"),
        ((1e-3, RuntimeError("only on CUDA")), "cuda:0", "device auto: cuda:0, since cpu cannot be used: only on CUDA"),
    ],
)  # fmt: skip
def test_the_faster_one_is_taken_and_it_is_said_why(
    takes: tuple[float | Exception, float | Exception], taken: str, why: str
) -> None:
    choice, bench = tried(dict(zip(BOTH, takes, strict=True)))
    assert (str(choice.device), choice.why) == (taken, why)
    assert sorted(bench.closed) == sorted(name for name in bench.begun if not isinstance(bench.takes[name], Exception))


def test_a_run_that_the_cpu_ends_before_a_gpu_has_begun_is_not_tried_there() -> None:
    choice, bench = tried({"cuda:0": 1e-9, "cpu": 1e-3}, epochs=2)
    assert str(choice.device) == "cpu"
    assert choice.why.startswith("device auto: cpu, which does all of it in about 0.09 s, sooner than cuda:0")
    assert bench.begun == ["cpu"]


def test_what_was_found_holds_for_other_rates_and_seeds_and_for_some_time_only() -> None:
    bench, now = Bench({"cuda:0": 1e-3, "cpu": 1.0}, [], []), [0.0]

    def chosen(**given: object) -> str:
        return str(choose(*digits(**given), names=BOTH, attempt=bench.attempt, clock=lambda: now[0]).device)

    assert [chosen(), chosen(seed=5, lr=0.3)] == ["cuda:0"] * 2
    assert bench.begun == ["cpu", "cuda:0"]
    chosen(hidden="8")
    assert len(bench.begun) == 4
    now[0] = device_choice.LASTS + 1
    chosen()
    assert len(bench.begun) == 6


def test_where_there_is_only_a_cpu_nothing_is_tried() -> None:
    bench = Bench({}, [], [])
    assert choose(*digits(), names=("cpu",), attempt=bench.attempt) == Choice(torch.device("cpu"), "")
    assert bench.begun == []


def test_what_is_in_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda name: (8, 0) if name == "cuda:0" else (7, 5))

    def found(device: str, precision: str = "fp32") -> tuple[str, ...]:
        return candidates(resolve({"device": device, "precision": precision}))

    assert found("auto") == found("auto", "bf16") == BOTH
    assert (found("cuda"), found("cuda:1"), found("cpu")) == (("cuda:0",), ("cuda:1",), ("cpu",))
    assert found("auto", "tf32") == ("cuda:0",)  # a CPU has none
    for precision in ("tf32", "bf16"):
        with pytest.raises(DeviceError, match=f"precision: '{precision}' is not allowed on cuda:1; .*there: fp32$"):
            found("cuda:1", precision)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert found("auto") == found("auto", "bf16") == ("cpu",)
    with pytest.raises(DeviceError, match="precision: 'tf32' is not allowed on cpu; allowed there: fp32, bf16"):
        found("auto", "tf32")


def test_a_run_that_goes_on_stays_where_it_was() -> None:
    kept = run(short(epochs=1), keeper=(shelf := _Shelf()))[0] and shelf.last
    bench = Bench({}, [], [])
    assert str(choose(*digits(), names=BOTH, kept=kept, attempt=bench.attempt).device) == "cpu"
    on_mac = ("mps", "cpu")
    assert choose(*digits(), names=on_mac, kept=kept, attempt=bench.attempt) == Choice(torch.device("cpu"), "")
    was_mps = Checkpoint(**{**vars(kept), "device": "mps"})
    assert choose(*digits(), names=on_mac, kept=was_mps, attempt=bench.attempt) == Choice(torch.device("mps"), "")
    assert bench.begun == []
    earlier = Checkpoint(**{**vars(kept), "device": ""})
    assert str(choose(*digits(), names=BOTH, kept=earlier, attempt=bench.attempt).device) == "cpu"
    unknown = Bench({"mps": 1e-3, "cpu": 1.0}, [], [])
    tried_again = choose(*digits(), names=on_mac, kept=earlier, attempt=unknown.attempt)
    assert tried_again.why.startswith("device auto: mps, with"), "not known: measured, and said"
    on_gpu = Checkpoint(**{**vars(kept), "device": "", "random_cuda": torch.zeros(1)})
    assert str(choose(*digits(), names=BOTH, kept=on_gpu, attempt=bench.attempt).device) == "cuda:0"
    assert choose(*digits(), names=("cpu",), kept=on_gpu).device == torch.device("cpu")


class _Shelf:
    idle, took = True, 0.0
    last: Checkpoint

    def keep(self, checkpoint: Checkpoint) -> None:
        self.last = checkpoint


# On real steps


@pytest.mark.parametrize("graphed", [False, True])
def test_a_trial_takes_real_steps_and_leaves_everything_as_it_was(
    monkeypatch: pytest.MonkeyPatch, graphed: bool
) -> None:
    graphs = StandIn() if graphed else None  # not sooner: it imports PyTorch's compiler
    monkeypatch.setattr(device_choice, "graphs_of", lambda device: graphs)
    monkeypatch.setattr(device_choice, "SHORT", 0.0)
    config, data = digits(batch_size=30, threads=1)  # 3 steps an epoch and a smaller one
    before, threads, held = torch.get_rng_state(), torch.get_num_threads(), data.x_train.clone()
    asked: list[int] = []
    states: list[torch.Tensor] = []
    steps: list[int] = []

    def attempt(config: RunConfig, data: Dataset, device: torch.device, go_on: Callable[[], None]) -> Trial:
        if device.type != "cpu":
            raise RuntimeError("it is not there")
        trial = StepsTried(config, data, device, go_on)
        began = time.perf_counter()
        assert 0 < trial.seconds_a_step(10, 0.0) <= (time.perf_counter() - began) / 10
        steps.append(trial._progress.step)
        states.append(torch.get_rng_state())
        return trial

    choice = choose(config, data, lambda: asked.append(1), names=BOTH, attempt=attempt)
    assert choice.why == "device auto: cpu, since cuda:0 cannot be used: it is not there"
    assert steps[0] >= 10
    assert asked
    assert len(asked) >= 10 or graphs is not None, "a graph is of several steps"
    assert not torch.equal(states[0], before), "they drop out units"
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert torch.equal(data.x_train, held)


@pytest.fixture
def with_a_gpu_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine says that it has a GPU, and whoever uses it fails: PyTorch is one for processors."""
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    monkeypatch.setattr(device, "available", lambda: BOTH)
    monkeypatch.setattr(device_choice, "SHORT", 0.0)


@pytest.mark.usefixtures("with_a_gpu_that_fails")
def test_a_run_that_was_tried_before_it_is_the_same_run() -> None:
    config, data = digits(epochs=3, batch_size=30, threads=1)
    tried, tape = run(config, dataset=data)
    plain, other = run(resolve({**LONG, "epochs": 3, "batch_size": 30, "threads": 1, "device": "cpu"}), dataset=data)
    assert tape.ended.status == other.ended.status == "finished"
    assert np.array_equal(tape.losses, other.losses)
    for name, value in tried.network.state().items():
        assert value.equal(plain.network.state()[name]), name
    (note,) = tape.of(events.Noted)
    assert note.step == 0
    assert note.sentence.startswith("device auto: cpu, since cuda:0 cannot be used: ")
    assert tape.of(events.RunStarted)[0].device == "cpu"
    assert [said.message for said in tape.of(events.Loading)] == ["trying which device is faster"]


@pytest.mark.usefixtures("with_a_gpu_that_fails")
def test_a_stop_ends_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    config, data = digits()
    control = Control()

    def stop(event: events.Event) -> None:
        if isinstance(event, events.Loading):
            control.stop()

    _, tape = run(config, control, stop, dataset=data)
    assert tape.ended.message == "stopped while loading"
    with pytest.raises(workbench.Cancelled):
        workbench.set_up(config, control, dataset=data)


@pytest.mark.usefixtures("with_a_gpu_that_fails")
def test_seeds_are_trained_together_on_the_cpu_where_that_is_faster_and_else_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configs = [resolve({**LONG, "dataset": "circles", "hidden": "4", "epochs": 1, "seed": seed}) for seed in (1, 2)]
    told: list[list[events.Event]] = [[], []]
    controls = [Control(), Control()]
    sinks = [[one.append] for one in told]
    assert list(together.slices(configs)) == [(0, 1)]
    assert together.train_slice(configs, Control(), sinks, controls, [None, None])
    for one in told:
        assert [event.sentence[:16] for event in one if isinstance(event, events.Noted)] == ["device auto: cpu"]
    monkeypatch.setattr(together, "choose", lambda *_: Choice(torch.device("cuda:0"), ""))
    assert not together.train_slice(configs, Control(), sinks, controls, [None, None])


def test_a_device_that_is_not_there_is_said_before_data_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "load", lambda *_: pytest.fail("loaded"))
    _, tape = run(short(device="cuda:77"))
    assert tape.ended.message.startswith("device: 'cuda:77' is not available")

"""What goes wrong in a run: kept, told in a sentence, and always followed by the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import Tape, run, short

from d2ltui.data.sources import SOURCES
from d2ltui.diagnosis.monitor import RULES, Rule
from d2ltui.diagnosis.probes import Prober
from d2ltui.engine import device as device_module
from d2ltui.engine import summary
from d2ltui.engine import trainer as trainer_module
from d2ltui.engine.checkpoint import Checkpoint
from d2ltui.engine.control import Control
from d2ltui.engine.device import DeviceError, available, select
from d2ltui.engine.trainer import Trainer
from d2ltui.nn.network import Network
from d2ltui.spec import events
from d2ltui.spec.catalogue import layer_plan
from d2ltui.spec.config import resolve


class FailsAt:
    """A forward that raises at its n-th call, not counting looks at the layers, and works before."""

    def __init__(self, n: int, error: Exception) -> None:
        self.left, self.error, self.forward = n, error, Network.__call__

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def forward(network: Network, x: torch.Tensor) -> torch.Tensor:
            looked_at = torch.is_grad_enabled() and not network.training
            self.left -= not looked_at
            if self.left == 0 and not looked_at:
                raise self.error
            return self.forward(network, x)

        monkeypatch.setattr(Network, "__call__", forward)


@pytest.mark.parametrize("n", [1, 5, 11])  # the first step, the fifth, the first evaluation
def test_an_exception_inside_the_forward(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    FailsAt(n, ValueError("shapes do not fit")).install(monkeypatch)
    _, tape = run(short())
    ended = tape.ended
    assert ended.status == ended.summary["status"] == "failed"
    assert ended.message == "ValueError: shapes do not fit"
    assert ended.traceback is not None
    assert "in forward" in ended.traceback
    assert ended.summary["steps"] == min(n - 1, 10)


def test_an_exception_without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    FailsAt(1, AssertionError()).install(monkeypatch)
    assert run(short())[1].ended.message == "AssertionError"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of ..."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried ..."),
        MemoryError(),
    ],
)
def test_too_little_memory_blames_the_batch_size(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    FailsAt(3, error).install(monkeypatch)
    ended = run(short())[1].ended
    assert (ended.status, ended.field) == ("failed", "batch_size")
    assert ended.message == "batch_size: 100 does not fit into the memory of cpu; allowed: what fits, so try fewer"
    assert ended.traceback is not None


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        torch.OutOfMemoryError("CUDA out of memory."),
    ],
)
def test_too_little_memory_is_the_widths_where_the_weights_are_the_larger_part(error: Exception) -> None:
    wide, narrow = ({"model": "mlp", "dataset": "digits", "hidden": hidden} for hidden in ("4096,4096", "16"))
    for given, field in ((wide, "hidden"), (narrow, "batch_size")):
        config = resolve({**given, "batch_size": 256})
        assert summary.describe_error(error, config, "cuda:0", layer_plan(config))[0] == field
        assert summary.describe_error(error, config, "cuda:0", [])[0] == "hidden", "it was not built yet"


def test_a_gpu_that_has_failed_is_told_of_in_a_sentence() -> None:
    error = RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be ...")
    field, message, _ = summary.describe_error(error, resolve({}), "cuda:0", [])
    assert field == ""
    assert message.startswith("RuntimeError: CUDA error: an illegal memory access was encountered; start d2ltui again")
    assert "\n" not in message
    busy = RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable\nCUDA kernel errors ...")
    message = summary.describe_error(busy, resolve({}), "cuda:0", [])[1]
    assert message == "RuntimeError: CUDA error: all CUDA-capable devices are busy or unavailable"
    assert summary.describe_error(ValueError("two\nlines"), resolve({}), "cpu", [])[1] == "ValueError: two\nlines"


class Kept:
    """A keeper that writes at once."""

    idle, took = True, 0.0

    def __init__(self) -> None:
        self.steps: list[int] = []

    def keep(self, checkpoint: Checkpoint) -> None:
        self.steps.append(checkpoint.step)


@pytest.mark.parametrize(("method", "after"), [("probe", 0), ("probe", 1), ("probe", 30), ("arm", 0)])
def test_a_look_that_has_no_memory_ends_the_looks_and_not_the_run(
    monkeypatch: pytest.MonkeyPatch, method: str, after: int
) -> None:
    original = getattr(Prober, method)

    failures = 0

    def limited(self: Prober, step: int, *rest: object, **options: object) -> object:
        nonlocal failures
        if step >= after:
            failures += 1
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(self, step, *rest, **options)

    monkeypatch.setattr(Prober, method, limited)
    monkeypatch.setattr("d2ltui.diagnosis.probes.FIRST_PROBE", 0.0)
    monkeypatch.setattr("d2ltui.engine.trainer.PUBLISH_EVERY", 0.0)
    tape, keeper = Tape(), Kept()
    ended = Trainer(short(epochs=4), Control(), [tape], keeper=keeper).run()
    assert ended.status == "finished"
    assert keeper.steps[-1] == ended.summary["steps"] == 40
    told = [finding for event in tape.of(events.FindingsChanged) for finding in event.findings]
    assert [finding.what for finding in told if finding.rule == "no-look"][-1].startswith("The layers could not be")
    assert failures == 1


def test_a_checkpoint_that_cannot_be_made_ends_the_checkpoints_and_not_the_run() -> None:
    class Full(Kept):
        def keep(self, checkpoint: Checkpoint) -> None:
            super().keep(checkpoint)
            raise OSError("no space")

    tape, keeper = Tape(), Full()
    ended = Trainer(short(), Control(), [tape], keeper=keeper).run()
    assert ended.status == "finished"
    assert keeper.steps == [0]
    (told,) = tape.of(events.ObserverFailed)
    assert (told.step, told.observer, told.message) == (0, "storing checkpoints", "OSError: no space")


def test_divergence_is_told_also_where_nothing_can_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Prober.probe

    def limited(self: Prober, step: int, units: bool) -> object:
        if step > 0:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(self, step, units)

    monkeypatch.setattr(Prober, "probe", limited)
    _, tape = run(short(lr=1e30))
    assert tape.ended.status == "diverged"
    rules = [finding.rule for finding in tape.of(events.FindingsChanged)[-1].findings]
    assert rules == ["divergence", "no-look"]


def test_a_look_that_fails_ends_the_looks_and_not_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Prober.probe

    def broken(self: Prober, step: int, units: bool) -> object:
        if step == 10:
            raise ZeroDivisionError("a defect")
        return original(self, step, units)

    monkeypatch.setattr(Prober, "probe", broken)
    tape = Tape()
    ended = Trainer(short(epochs=1), Control(), [tape]).run()
    assert ended.status == "finished"
    (told,) = tape.of(events.ObserverFailed)
    assert (told.step, told.observer, told.message) == (10, "looking at the layers", "ZeroDivisionError: a defect")
    assert "in broken" in told.traceback


def test_a_rule_that_fails_is_left_out_and_told_once(offer: Callable[[object, object], None]) -> None:
    def broken(run: object) -> Iterator[events.Finding]:
        raise KeyError("gelu")
        yield

    rule = Rule("broken", broken)
    offer(RULES, rule)
    _, tape = run(short(lr=1e30))
    assert tape.ended.status == "diverged"
    (told,) = tape.of(events.ObserverFailed)
    assert told.sentence.startswith("the rule broken failed and is left out from step 0 on (KeyError: 'gelu')")
    assert tape.of(events.FindingsChanged)[-1].findings[0].rule == "divergence"


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"severity": "error"}, "Invalid enum value 'error'"),
        ({"figure": None}, "Expected `float`, got `null`"),
        ("dead units", "Expected `object`, got `str`"),
    ],
)
def test_a_rule_that_finds_what_is_no_finding_is_left_out(
    offer: Callable[[object, object], None], found: dict[str, Any] | str, why: str
) -> None:
    finding: dict[str, Any] = {
        "rule": "odd", "severity": "note", "layer": None, "step": 0, "figure": 0.0,
        "what": "A.", "why": "B.", "try_": "C.", "remedy": {},
    }  # fmt: skip
    odd: Any = found if isinstance(found, str) else events.Finding(**finding | found)
    offer(RULES, Rule("odd", lambda run: iter([odd])))
    _, tape = run(short())
    assert tape.ended.status == "finished"
    (told,) = tape.of(events.ObserverFailed)
    assert told.observer == "the rule odd"
    assert why in told.message


def test_too_little_memory_for_the_network_blames_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*args: object, **kwargs: object) -> Network:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(trainer_module, "build", build)
    ended = run(resolve({"hidden": "512,256", "device": "cpu"}))[1].ended
    assert (ended.status, ended.field) == ("failed", "hidden")
    assert ended.message.startswith("hidden: 512,256 does not fit into the memory of cpu; ")


def test_a_missing_device_fails_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_module, "available", lambda: ("cpu",))
    _, tape = run(short(device="cuda"))
    assert tape.statuses == ["loading", "failed"]
    assert not tape.of(events.Loading)
    assert tape.ended.field == "device"
    assert tape.ended.message.startswith("device: 'cuda' is not available (PyTorch finds no CUDA device")
    assert "allowed here: auto, cpu" in tape.ended.message


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available()[-1] == "cpu"
    assert select("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert available() == ("cuda:0", "cuda:1", "cpu")
    assert select("auto") == select("cuda") == torch.device("cuda:0")
    assert select("cuda:1") == torch.device("cuda:1")
    with pytest.raises(DeviceError, match=r"^device: 'cuda:2' is not available \(this machine has 2 CUDA device"):
        select("cuda:2")
    with pytest.raises(DeviceError, match=r"^device: 'mps' is not available \(PyTorch finds no MPS device"):
        select("mps")


def test_a_truncated_data_set(tmp_path: Path) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for prefix in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (raw / f"{prefix}-{kind}-ubyte").write_bytes(b"\0\0\x08\x03")
    ended = run(resolve({"dataset": "fashion-mnist", "data_dir": str(tmp_path), "device": "cpu"}))[1].ended
    assert (ended.status, ended.field) == ("failed", "dataset")
    assert "train-images-idx3-ubyte is damaged" in ended.message


def test_no_network_and_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = [source._replace(urls=(f"http://127.0.0.1:9/{source.name}",)) for source in SOURCES["fashion-mnist"]]
    monkeypatch.setitem(SOURCES, "fashion-mnist", tuple(closed))
    ended = run(resolve({"dataset": "fashion-mnist", "data_dir": str(tmp_path), "device": "cpu"}))[1].ended
    assert (ended.status, ended.field) == ("failed", "dataset")
    assert str(tmp_path) in ended.message
    assert "127.0.0.1:9" in ended.message
    assert "--dataset digits" in ended.message
    assert "\n" not in ended.message


class Breaks:
    """A sink that raises at events of one kind."""

    def __init__(self, kind: type[events.Event]) -> None:
        self._kind = kind

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, self._kind):
            raise OSError("no space")


def test_a_sink_that_fails_is_left_out_and_the_others_are_told() -> None:
    _, tape = run(short(), None, Breaks(events.EpochEnded))
    assert tape.ended.status == "finished"
    (told,) = tape.of(events.ObserverFailed)
    assert (told.observer, told.message) == ("Breaks", "OSError: no space")
    assert len(tape.of(events.EpochEnded)) == short().epochs


@pytest.mark.parametrize("first", [True, False])
def test_a_sink_that_fails_at_the_end_hides_it_from_nobody(first: bool) -> None:
    tape = Tape()
    sinks = [Breaks(events.RunEnded), tape] if first else [tape, Breaks(events.RunEnded)]
    with pytest.raises(OSError, match="no space"):
        Trainer(short(), Control(), sinks).run()
    assert tape.ended.status == "finished"


def test_the_end_is_told_though_the_device_fails_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error of its own a GPU answers everything with that error, also the question for the weights."""

    def broken(*_: object) -> object:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr("d2ltui.engine.summary.parameters", broken)
    _, tape = run(short())
    assert tape.ended.status == "finished"
    assert tape.ended.summary["parameters"] is None

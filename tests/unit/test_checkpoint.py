"""Checkpoints: the run that goes on is the run that was never interrupted, bit for bit; nothing else is believed."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
import torch
from runs import during_step, run

from d2ltui.engine import checkpoint as checkpoint_module
from d2ltui.engine.checkpoint import Checkpoint, CheckpointError, CheckpointSchedule, read
from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.nn.accel.onednn import onednn_works
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve
from tests.selection import long_after, long_unless

# Two batches in an epoch of 5, then one that is smaller: every kind of place to stop at.
GIVEN = {"model": "mlp", "dataset": "moons", "hidden": "8", "batch_size": 300, "epochs": 4, "device": "cpu"}
STEPS = 12


class Shelf:
    """A keeper that keeps."""

    idle = True
    took = 0.0

    def __init__(self) -> None:
        self.kept: list[Checkpoint] = []

    def keep(self, checkpoint: Checkpoint) -> None:
        self.kept.append(checkpoint)


def config(**given: object) -> RunConfig:
    return resolve({**GIVEN, **given})


def stopped(monkeypatch: pytest.MonkeyPatch, config: RunConfig, step: int) -> Checkpoint:
    """The checkpoint of a run that is stopped during that step."""
    shelf, control = Shelf(), Control()
    with monkeypatch.context() as patch:
        during_step(patch, {step: control.stop})
        trainer, _ = run(config, control, keeper=shelf)
    assert trainer.progress.step == shelf.kept[-1].step == step
    return shelf.kept[-1]


def saved(checkpoint: Checkpoint, path: Path) -> Path:
    with path.open("wb") as file:
        checkpoint.write(file)
    return path


@pytest.mark.skipif(not onednn_works(), reason="this PyTorch has no oneDNN")
def test_so_does_one_whose_products_onednn_computes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("d2ltui.nn.accel.onednn.LARGE", 0)
    monkeypatch.setattr("d2ltui.nn.accel.onednn.onednn_is_faster", lambda: True)
    given = {"hidden": "64,32", "dropout": 0.5}
    test_a_run_that_goes_on_ends_with_the_same_bits(monkeypatch, tmp_path, given, 3)


# One of them with each kind of place to stop at, and the others with one each time.
PLACES = (1, 2, 3, 4, 11)
OFTEN, SELDOM = {"optimizer": "adam", "dropout": 0.5, "weight_decay": 0.01}, {"optimizer": "momentum", "dropout": 0.5}
SCRATCH = {"implementation": "scratch", "dropout": 0.5}


@pytest.mark.parametrize(
    ("given", "step"),
    [
        *((OFTEN, step) for step in PLACES),
        *long_after(1, [(SELDOM, step) for step in PLACES]),
        *long_unless(lambda case: case[1] == 2, [(SCRATCH, step) for step in PLACES]),
    ],
    ids=lambda value: value.get("optimizer", "scratch") if isinstance(value, dict) else None,
)
def test_a_run_that_goes_on_ends_with_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, object], step: int
) -> None:
    whole, tape = run(config(**given))
    path = saved(stopped(monkeypatch, config(**given), step), tmp_path / "checkpoint.pt")
    resumed, rest = run(config(**given), resume=lambda: read(path, config(**given)))
    assert rest.of(events.RunResumed)[0].step == step
    assert [e.step for e in rest.of(events.StepsTrained)][-1] == STEPS
    for name, value in whole.network.state().items():
        assert torch.equal(value, resumed.network.state()[name]), name
    assert (tape.losses[step:] == rest.losses).all()
    known = run(config(**given), resume=lambda: read(path, config(**given)), losses=tape.losses)[0]
    assert list(known.progress.losses) == list(whole.progress.losses)  # by which the run is judged
    last, again = tape.of(events.EpochEnded)[-1], rest.of(events.EpochEnded)[-1]
    assert (last.epoch, last.val_loss, last.val_metric) == (again.epoch, again.val_loss, again.val_metric)
    assert last.train_loss == pytest.approx(again.train_loss, rel=1e-12)  # summed in other blocks
    assert rest.ended.summary["epochs"] == 4


def test_the_learning_rate_and_the_clock_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, control = Shelf(), Control()
    with monkeypatch.context() as patch:
        during_step(patch, {3: lambda: control.set_lr(0.025), 5: control.stop})
        run(config(), control, keeper=shelf)
    kept = shelf.kept[-1]
    assert kept.lr == 0.025
    trainer, tape = run(config(), resume=lambda: kept)
    (resumed,) = tape.of(events.RunResumed)
    assert (resumed.step, resumed.epoch, resumed.lr) == (5, 2, 0.025)
    assert tape.of(events.StepsTrained)[0].seconds >= resumed.seconds == kept.seconds > 0
    assert trainer.parts.optimizer.param_groups[0]["lr"] == 0.025  # type: ignore[attr-defined]


@pytest.mark.parametrize("optimizer", long_after(1, ["adam", "sgd", "momentum", "adagrad", "rmsprop"]))
def test_a_checkpoint_of_another_device_does_not_say_how_this_one_computes(
    monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    def flags(trainer: Trainer) -> list[object]:
        groups: list[dict[str, object]] = trainer.parts.optimizer.param_groups  # type: ignore[attr-defined]
        return [group.get(name) for group in groups for name in ("fused", "foreach")]

    given = {"optimizer": optimizer, "weight_decay": 0.01}
    whole, _ = run(config(**given))
    kept = stopped(monkeypatch, config(**given), 5)
    for group in kept.optimizer["param_groups"]:
        group["fused"], group["foreach"] = (None, True) if group.get("fused") else (True, None)
    resumed, tape = run(config(**given), resume=lambda: kept)
    assert tape.ended.status == "finished"
    assert flags(resumed) == flags(whole)
    for name, value in whole.network.state().items():
        assert torch.equal(value, resumed.network.state()[name]), name


def test_checkpoints_come_at_the_start_at_a_pause_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, control = Shelf(), Control()
    during_step(monkeypatch, {4: control.pause})

    def go_on(event: events.Event) -> None:
        if isinstance(event, events.LayersProbed) and event.step == 4:
            control.resume()

    run(config(), control, go_on, keeper=shelf)
    assert [(kept.step, kept.epoch, kept.batch) for kept in shelf.kept] == [(0, 1, 0), (4, 2, 1), (12, 5, 0)]


def test_broken_weights_do_not_take_the_place_of_good_ones() -> None:
    shelf = Shelf()
    _, tape = run(config(lr=1e30), keeper=shelf)
    assert tape.ended.status == "diverged"
    assert [kept.step for kept in shelf.kept] == [0]


def test_epochs_that_follow_closely_are_not_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(checkpoint_module.time, "perf_counter", lambda: now)
    shelf = Shelf()
    pace = CheckpointSchedule(shelf)
    assert not pace.due(within_epoch=False)
    now = 100.99
    assert not pace.due(within_epoch=False)
    now = 101.0
    assert pace.due(within_epoch=False)
    assert not pace.due(within_epoch=True)
    shelf.idle = False
    assert not pace.due(within_epoch=False)
    shelf.idle, shelf.took = True, 0.1
    assert not pace.due(within_epoch=False)  # a hundredth of the time at most
    now = 100 + 0.1 / checkpoint_module.SHARE
    assert pace.due(within_epoch=False)
    assert pace.due(within_epoch=True)


def test_a_busy_machine_does_not_keep_checkpoints_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(checkpoint_module, "time", SimpleNamespace(perf_counter=lambda: now))
    pace = CheckpointSchedule(Shelf())

    def take() -> Checkpoint:
        nonlocal now
        now += 0.5  # in which this thread has waited for a processor
        return None  # type: ignore[return-value]

    pace.keep(take)
    now += 1.0
    assert pace.due(within_epoch=False)


@pytest.mark.parametrize("ends", ["finished", "stopped"])
def test_of_short_epochs_one_a_second_is_kept_and_always_the_last_state(
    monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    now, shelf, control = 100.0, Shelf(), Control()
    monkeypatch.setattr(checkpoint_module, "time", SimpleNamespace(perf_counter=lambda: now))

    def passes(event: events.Event) -> None:
        nonlocal now
        if isinstance(event, events.EpochEnded):
            now += 0.3
            if event.epoch == 10 and ends == "stopped":
                control.stop()

    _, tape = run(config(epochs=14), control, passes, keeper=shelf)
    assert tape.ended.status == ends
    # 3 steps an epoch: every fourth epoch is the first one that ends a second after the checkpoint before.
    assert [kept.step for kept in shelf.kept] == [0, 12, 24, *([36, 42] if ends == "finished" else [30])]
    assert shelf.kept[-1].step == tape.of(events.StepsTrained)[-1].step


def test_a_learning_rate_that_is_changed_at_a_pause_is_kept() -> None:
    shelf, control = Shelf(), Control("pause")

    def change(event: events.Event) -> None:
        if isinstance(event, events.StatusChanged) and event.status == "paused":
            control.set_lr(0.025)
        elif isinstance(event, events.LearningRateChanged):
            control.resume()

    run(config(lr=0.5), control, change, keeper=shelf)
    # The third: who is killed during a long pause goes on with it.
    assert [(kept.step, kept.lr) for kept in shelf.kept] == [(0, 0.5), (0, 0.5), (0, 0.025), (STEPS, 0.025)]


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return saved(stopped(monkeypatch, config(), 4), tmp_path / "checkpoint.pt")


def test_flipped_bytes_are_found_out(whole: Path) -> None:
    data = bytearray(whole.read_bytes())
    good = read(whole, config())
    believed, sentences = 0, []
    for position in range(0, len(data), max(1, len(data) // 60)):
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        whole.write_bytes(damaged)
        try:
            found = read(whole, config())
        except CheckpointError as error:
            sentences.append(str(error))
        else:  # a byte of the archive that says nothing about the values
            believed += 1
            assert all(torch.equal(value, good.model[name]) for name, value in found.model.items())
    assert believed < 40
    assert not any("\n" in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("length", "why"),
    [
        (0, "is damaged (it is empty)"),
        (1, "is not a checkpoint of d2ltui"),
        (10, "is damaged (its end is cut off)"),
        (100, "is damaged (its end is cut off)"),
        (5000, "is damaged (its end is cut off)"),
        (-1, "is damaged (its end is cut off)"),
    ],
)
def test_a_truncated_file(whole: Path, length: int, why: str) -> None:
    whole.write_bytes(whole.read_bytes()[:length])
    with pytest.raises(CheckpointError) as error:
        read(whole, config())
    assert str(error.value) == f"checkpoint: {whole} {why}"


def test_flipped_bytes_are_not_taken_for_a_program(whole: Path) -> None:
    data = bytearray(whole.read_bytes())
    at = data.index(b"d2ltui checkpoint")
    data[at - 30 : at] = b"\xff" * 30
    whole.write_bytes(data)
    with pytest.raises(CheckpointError) as error:
        read(whole, config())
    assert str(error.value) == f"checkpoint: {whole} is damaged (its bytes are not those that were written)"


@pytest.mark.parametrize("text", [b"damaged", b"hello world, this is garbage\n" * 30])
def test_text_is_no_checkpoint(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "text.pt").write_bytes(text)
    with pytest.raises(CheckpointError, match=r"is not a checkpoint of d2ltui$"):
        read(tmp_path / "text.pt", config())


def test_what_the_system_does_not_let_read(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot be read \(it is a directory, not a file\)$"):
        read(tmp_path, config())


def test_a_foreign_file(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="is not a checkpoint of d2ltui"):
        read(tmp_path / "other.pt", config())


class Bomb:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("save", [torch.save, lambda bomb, path: path.write_bytes(pickle.dumps(bomb))])
def test_no_pickle_is_executed(tmp_path: Path, save: object) -> None:
    save(Bomb(str(tmp_path / "executed")), tmp_path / "bomb.pt")  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=r"it holds more than tensors and plain values|is not a checkpoint of"):
        read(tmp_path / "bomb.pt", config())
    assert not (tmp_path / "executed").exists()


def test_a_newer_version(monkeypatch: pytest.MonkeyPatch, whole: Path) -> None:
    monkeypatch.setattr(checkpoint_module, "VERSION", 0)
    with pytest.raises(CheckpointError, match=r"written by a newer d2ltui \(version 1\); this one reads 0"):
        read(whole, config())


def test_another_run(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is of another run \(its lr, seed differs\)"):
        read(whole, config(lr=0.5, seed=3))
    moved = msgspec.structs.replace(config(), data_dir=str(tmp_path))
    assert read(whole, moved).step == 4


@pytest.mark.parametrize("change", ["model", "optimizer", "data", "random"])
def test_contents_that_do_not_fit_fail_with_a_sentence(whole: Path, change: str) -> None:
    good = read(whole, config())
    wrong = {
        "model": {"1.weight": torch.zeros(2, 2)},
        "optimizer": {"state": {}, "param_groups": []},
        "data": (1, 2, 3),
        "random": torch.zeros(7, dtype=torch.uint8),
    }
    object.__setattr__(good, change, wrong[change])
    _, tape = run(config(), resume=lambda: good)
    assert tape.ended.status == "failed"
    assert tape.ended.traceback is None
    assert ("dataset: moons is not the data" if change == "data" else "it does not fit the run") in tape.ended.message


def rewritten(path: Path, **changed: object) -> None:
    """Another program's checkpoint: other values, with a checksum that is right."""
    found = torch.load(path, weights_only=True)
    values = {name: value for name, value in found.items() if name not in ("format", "version", "checksum")} | changed
    try:
        checksum = checkpoint_module.checksum(values)
    except TypeError:
        checksum = 0
    torch.save({**found, **values, "checksum": checksum}, path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", {"1.weight": torch.zeros(2, dtype=torch.bfloat16)}),
        ("model", {"1.weight": "no"}),
        ("epoch", "one"),
        ("epoch", 0),
        ("batch", -1),
        ("order", "no"),
        ("sums", (1.0, 2.0)),
        ("epochs", torch.zeros(3)),
        ("optimizer", []),
    ],
)
def test_fields_of_another_kind_are_found_out(whole: Path, field: str, value: object) -> None:
    rewritten(whole, **{field: value})
    with pytest.raises(CheckpointError, match=r"checkpoint: .* is damaged \(") as found:
        read(whole, config())
    assert "\n" not in str(found.value)

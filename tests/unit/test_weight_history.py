"""The pictures of a run's earlier moments: of weights that it has kept, as exact as those drawn while it trained."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import msgspec
import numpy as np
import pytest
import torch

from d2ltui.data import load
from d2ltui.engine import painter, weight_history
from d2ltui.engine.checkpoint import CheckpointError, checksum
from d2ltui.engine.control import Control
from d2ltui.engine.picture_desk import MAX_PAST, PictureDesk
from d2ltui.engine.trainer import Trainer
from d2ltui.engine.weight_history import MOST, WeightHistory, read
from d2ltui.nn import build
from d2ltui.pictures.subject import Subject
from d2ltui.runner import launch
from d2ltui.runner.recording import RunRecording
from d2ltui.runner.stored_pictures import StoredPictures
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.pictures import PictureMade, PictureRequest, Regions
from d2ltui.store import home

PATIENCE = 30.0
CONFIG = resolve({"model": "mlp", "dataset": "moons", "hidden": "8", "epochs": 4, "lr": 0.5, "device": "cpu"})
REQUEST = PictureRequest("regions", 20, 16)
EARLY = 3  # the step whose picture is compared


def picture(desk: PictureDesk, step: int) -> Regions:
    """What is drawn after `step` steps, once it is."""

    def there() -> PictureMade | None:
        return next(
            (one for one in (desk.made, *desk.past) if one and (one.step, one.request) == (step, REQUEST)), None
        )

    for _ in range(int(PATIENCE / 0.01)):
        if (made := there()) is not None:
            assert isinstance(made.picture, Regions), made.problem
            return made.picture
        threading.Event().wait(0.01)
    raise AssertionError("never")


def same(one: Regions, other: Regions) -> bool:
    return np.array_equal(one.classes, other.classes) and np.array_equal(one.confidence, other.confidence)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Regions, Regions]:
    """A stored run, its picture drawn while it stood still after `EARLY` steps, and the one of its end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("D2LTUI_HOME", str(tmp_path_factory.mktemp("home")))
        control = Control("step")
        desk = control.offer_pictures()
        recording = RunRecording.new(CONFIG, control)
        stopped = threading.Semaphore(0)

        def listen(event: events.Event) -> None:
            if isinstance(event, events.StatusChanged) and event.status == "paused":
                stopped.release()

        sinks = [recording.live, recording.store, listen]
        thread = threading.Thread(target=launch.train, args=(CONFIG, control, sinks, recording))
        thread.start()
        try:
            for step in range(1, EARLY + 1):
                assert stopped.acquire(timeout=PATIENCE)
                if step < EARLY:
                    control.step()
            desk.ask(REQUEST)
            early = picture(desk, EARLY)
            control.resume()
            end = picture(desk, CONFIG.total_steps)
        finally:
            control.stop()
            thread.join(PATIENCE)
            recording.close()
        assert recording.store.path is not None
        assert recording.trouble == ""
        return recording.store.path, early, end


def test_a_stored_run_shows_what_was_drawn_after_an_early_step(watched: tuple[Path, Regions, Regions]) -> None:
    path, early, end = watched
    assert not same(early, end)
    desk = StoredPictures(path, CONFIG).desk
    desk.ask(REQUEST)
    assert same(picture(desk, CONFIG.total_steps), end)
    desk.look_at(EARLY)
    assert same(picture(desk, EARLY), early)
    found = desk.at(EARLY)
    assert found is not None
    assert found.step == EARLY
    desk.look_at(0)  # before its first step: the network as it began
    assert not same(picture(desk, 0), early)
    assert same(picture(desk, CONFIG.total_steps), end)


def test_so_does_whoever_asks_for_an_early_step_first(watched: tuple[Path, Regions, Regions]) -> None:
    path, early, end = watched
    desk = StoredPictures(path, CONFIG).desk
    desk.look_at(EARLY)
    desk.ask(REQUEST)
    assert same(picture(desk, EARLY), early)
    desk.look_at(None)
    assert same(picture(desk, CONFIG.total_steps), end)


def history(config: RunConfig = CONFIG, monkeypatch: pytest.MonkeyPatch | None = None) -> WeightHistory:
    def failed(what: str, error: Exception) -> None:
        raise AssertionError(what) from error

    if monkeypatch is not None:  # no time passes, so that none is too dear
        monkeypatch.setattr(weight_history, "time", SimpleNamespace(thread_time=lambda: 0.0, perf_counter=lambda: 0.0))
    return WeightHistory(config, build(config), None, failed)


def run_to(steps: int, total: int, monkeypatch: pytest.MonkeyPatch) -> tuple[WeightHistory, int]:
    """A run of `total` steps that ends after `steps`: what is kept of it, and how many copies were made."""
    config = resolve({"model": "mlp", "dataset": "moons", "hidden": "8", "batch_size": 800, "epochs": total})
    assert config.total_steps == total
    kept, copies = history(config, monkeypatch), 0
    for step in range(steps + 1):
        if step >= kept.next:
            kept.take(step)
            copies += 1
    kept.end(steps, broken=False)
    return kept, copies


@pytest.mark.parametrize("steps", [10, 64, 65, 300, 5_000, 100_000])
def test_a_run_of_any_length_is_covered(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, copies = run_to(steps, steps, monkeypatch)
    assert copies <= 1.25 * MOST or steps > weight_history.SHORT, "a short run has no time for more"
    found = [one.step for one in kept.kept]
    assert found[0] == 0
    assert found[-1] == steps
    assert len(found) == min(MOST, steps + 1)
    roots = np.sqrt(found)
    assert np.diff(roots).max() <= max(1, 3 * math.sqrt(steps) / MOST)
    first_after = kept.at(steps // 2)
    assert first_after is not None
    assert steps // 2 - first_after.step <= 0.08 * steps


@pytest.mark.parametrize("steps", [300, 3000])
def test_a_long_run_that_is_stopped_early_is_covered(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, _ = run_to(steps, 1_000_000, monkeypatch)
    found = [one.step for one in kept.kept]
    assert len(found) > 16
    assert np.diff(np.sqrt(found)).max() <= 1.1


def test_weights_that_cannot_be_copied_are_given_up_and_the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(weight_history, "AT_ONCE", math.inf)
    kept = WeightHistory(CONFIG, build(CONFIG), None, lambda what, error: told.append(f"{what}: {error}"))
    kept.take(0)

    def full(*_: object) -> dict[str, torch.Tensor]:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(kept._network, "state_dict", full)
    kept.take(int(kept.next))
    assert told == ["keeping the weights of earlier steps: out of memory"]
    assert kept.next == math.inf
    assert [one.step for one in kept.kept] == [0]


def test_an_early_step_is_drawn_while_the_run_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painter, "PICTURE_EVERY", 0.0)
    monkeypatch.setattr(painter, "SHARE", 1e9)
    desk, past = PictureDesk(), history(monkeypatch=monkeypatch)
    for step in range(9):
        past.take(step)
    subject = Subject.of(past._network, load(CONFIG), torch.device("cpu"))
    paints = painter.Painter(desk, lambda: subject, lambda what, error: pytest.fail(f"{what}: {error}"), past=past.at)
    desk.ask(REQUEST)
    paints.paint(9)
    desk.look_at(EARLY)
    for step in (10, 11):
        paints.paint(step)
    found, now = desk.at(EARLY), desk.made
    assert found is not None
    assert now is not None
    assert (found.step, now.step) == (EARLY, 11)


def test_the_moment_that_is_looked_at_stays_among_as_many_pictures_as_are_kept() -> None:
    desk = PictureDesk()
    desk.ask(REQUEST)
    for step in range(MAX_PAST):
        desk.put(PictureMade(REQUEST, 60 * step, None))
    for looked_at in (1000, 1001, 2_345):
        desk.put_past(PictureMade(REQUEST, looked_at, None))
        found = desk.at(looked_at)
        assert found is not None
        assert found.step == looked_at
        assert len(desk.past) == MAX_PAST
    assert [made.step for made in desk.past] == sorted(made.step for made in desk.past)


def test_weights_that_come_later_are_no_longer_missed(
    watched: tuple[Path, Regions, Regions], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, early, _ = watched
    stored = StoredPictures(path, CONFIG)
    with monkeypatch.context() as patch:
        patch.setattr("d2ltui.store.home.WEIGHTS", "not-there-yet.pt")
        stored.desk.ask(REQUEST)
        picture(stored.desk, CONFIG.total_steps)
        assert stored.desk.no_past
        assert stored._making.acquire(timeout=PATIENCE)
        stored._making.release()
    stored.refresh()
    stored.desk.look_at(EARLY)
    assert same(picture(stored.desk, EARLY), early)
    assert stored.desk.no_past == ""


def test_a_network_that_is_too_large_is_not_kept_and_said_so() -> None:
    large = resolve({"model": "mlp", "dataset": "digits", "hidden": "2000,1000", "device": "cpu"})
    kept = history(large)
    assert kept.next == math.inf
    kept.pause(3)
    kept.end(5, broken=False)
    assert kept.kept == ()
    assert "is too large" in weight_history.too_large(build(large))


def test_weights_after_a_broken_loss_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = history(monkeypatch=monkeypatch)
    for step in range(6):
        kept.take(step)
    kept.end(3, broken=True)
    assert [one.step for one in kept.kept] == [0, 1, 2, 3]


def test_a_run_that_is_resumed_goes_on_with_what_it_has_kept(d2ltui_home: Path) -> None:
    control = Control("step")
    recording = RunRecording.new(CONFIG, control)

    def stop(event: events.Event) -> None:
        if isinstance(event, events.StatusChanged) and event.status == "paused":
            control.stop() if event.step == 2 else control.step()

    launch.train(CONFIG, control, [recording.live, recording.store, stop], recording)
    recording.close()
    assert recording.store.path is not None
    assert [one.step for one in read(recording.store.path / home.WEIGHTS, CONFIG)] == [0, 1, 2]
    resumed = RunRecording.resume(recording.store.path, control := Control())
    launch.train(CONFIG, control, [resumed.live, resumed.store], resumed)
    resumed.close()
    found = [one.step for one in read(recording.store.path / home.WEIGHTS, CONFIG)]
    assert found[:3] == [0, 1, 2]
    assert found[-1] == CONFIG.total_steps


def test_weights_that_cannot_be_stored_are_told_once_and_the_run_goes_on(
    d2ltui_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weight_history, "write", full)
    told: list[str] = []
    control = Control("step")
    recording = RunRecording.new(CONFIG, control, on_trouble=told.append)
    recording.store.wait_opened(PATIENCE)

    def go_on(event: events.Event) -> None:
        if isinstance(event, events.StatusChanged) and event.status == "paused":
            control.resume()

    ended = launch.train(CONFIG, control, [recording.live, recording.store, go_on], recording)
    recording.close()
    assert ended.status == "finished"
    assert told == ["store: no weights of earlier steps (No space left on device)"]


@pytest.fixture
def file(watched: tuple[Path, Regions, Regions], tmp_path: Path) -> Path:
    copy = tmp_path / home.WEIGHTS
    copy.write_bytes((watched[0] / home.WEIGHTS).read_bytes())
    return copy


def test_flipped_and_missing_bytes_are_found_out(file: Path) -> None:
    whole = file.read_bytes()
    assert len(read(file, CONFIG)) > 4
    refused = 0
    for at in range(0, len(whole), 499):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        try:
            kept = read(file, CONFIG)
        except CheckpointError:
            refused += 1
        else:  # padding between two records
            assert kept[-1].step == CONFIG.total_steps
    assert refused > 10
    for length in (0, 3, 1000, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"weights\.pt"):
            read(file, CONFIG)
    file.unlink()
    assert read(file, CONFIG) == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"steps": torch.tensor([0, 2, 1])},
        {"steps": torch.tensor([0, 1, 10**6])},
        {"steps": torch.tensor([-1, 0, 1])},
        {"steps": torch.tensor([0, 1])},
        {"steps": torch.tensor([0.0, 1.0, 2.0])},
        {"steps": torch.tensor(3)},
        {"steps": [0, 1, 2]},
        {"model": {}},
        {"model": torch.zeros(3)},
        {"config": {}},
    ],
    ids=str,
)
def test_what_no_run_has_kept_is_not_believed(changed: dict[str, object], file: Path) -> None:
    found = torch.load(file, weights_only=True)
    values = {name: value for name, value in found.items() if name not in ("format", "version", "checksum")}
    values["steps"] = values["steps"][:3]
    values["model"] = {name: value[:3] for name, value in values["model"].items()}
    for parts, believed in ((values, True), ({**values, **changed}, False)):
        head = {"format": weight_history.FORMAT, "version": 1, "checksum": checksum(parts)}
        torch.save({**head, **parts}, file)
        if believed:
            assert [one.step for one in read(file, CONFIG)] == [0, 1, 2]
        else:
            with pytest.raises(CheckpointError, match=r"weights\.pt is damaged"):
                read(file, CONFIG)


def test_weights_of_another_run_are_not_shown(file: Path) -> None:
    with pytest.raises(CheckpointError, match=r"weights\.pt is damaged"):
        read(file, msgspec.structs.replace(CONFIG, seed=7))


class Shelf:
    """Keeps the file of weights that is handed over last."""

    weights_idle, weights_took = True, 0.0

    def __init__(self, path: Path) -> None:
        self.path = path

    def past_weights(self) -> weight_history.Kept:
        return ()

    def keep_weights(self, write: Callable[[BinaryIO], object]) -> None:
        with self.path.open("wb") as file:
            write(file)


def test_a_run_that_fails_hands_over_what_was_kept_and_is_drawn_all_the_same(tmp_path: Path) -> None:
    control = Control()
    desk = control.offer_pictures()

    def listen(event: events.Event) -> None:
        if isinstance(event, events.EpochEnded) and event.epoch == 2:
            trainer.network.loss = broken  # type: ignore[method-assign]

    def broken(*_: object) -> torch.Tensor:
        raise RuntimeError("it breaks in the middle")

    trainer = Trainer(CONFIG, control, [listen], weights=Shelf(tmp_path / "weights"))
    assert trainer.run().status == "failed"
    steps = [one.step for one in read(tmp_path / "weights", CONFIG)]
    assert steps[0] == 0
    assert len(steps) > 3
    desk.ask(REQUEST)
    assert picture(desk, trainer.progress.step).classes.size

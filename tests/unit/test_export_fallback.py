"""The weights to export are those that the run itself would go on from."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from runs import Copied

from d2ltui.engine.checkpoint import read
from d2ltui.engine.control import Control
from d2ltui.runner.headless import run
from d2ltui.runner.recording import RunRecording
from d2ltui.spec.config import resolve
from d2ltui.store import StoreError, home
from d2ltui.store.export_code import weights

CONFIG = resolve({"dataset": "moons", "epochs": 2, "batch_size": 300, "device": "cpu", "hidden": "4"})


def trained() -> Path:
    """A run with two checkpoints: of its beginning, and of its end."""
    control = Control()
    recording = RunRecording.new(CONFIG, control)
    run(CONFIG, control, [recording.live], recording)
    assert recording.store.path is not None
    return recording.store.path


@pytest.fixture
def path(copied: Copied) -> Path:
    return copied(trained)


@pytest.mark.parametrize("damaged", [True, False], ids=["damaged", "missing"])
def test_the_checkpoint_before_is_taken(path: Path, damaged: bool, capfd: pytest.CaptureFixture[str]) -> None:
    last = torch.load(io.BytesIO(weights(path, CONFIG)), weights_only=True)
    assert capfd.readouterr().err == ""
    before = read(path / home.PREVIOUS, CONFIG).model
    if damaged:
        (path / home.CHECKPOINT).write_bytes(b"damaged")
    else:
        (path / home.CHECKPOINT).unlink()
    found = torch.load(io.BytesIO(weights(path, CONFIG)), weights_only=True)
    assert torch.equal(found["0.weight"], before["1.weight"])
    assert not torch.equal(found["0.weight"], last["0.weight"])
    err = capfd.readouterr().err
    assert err.startswith(f"d2ltui: checkpoint: {path}") == damaged
    assert err.endswith("; the one before it is used\n") == damaged


def test_neither_can_be_used(path: Path) -> None:
    for name in (home.CHECKPOINT, home.PREVIOUS):
        (path / name).write_bytes(b"damaged")
    with pytest.raises(StoreError) as error:
        weights(path, CONFIG)
    assert str(error.value) == (
        f"checkpoint: neither {path / home.CHECKPOINT} nor {path / home.PREVIOUS} can be used: "
        "the first is not a checkpoint of d2ltui, the second is not a checkpoint of d2ltui"
    )
    for name in (home.CHECKPOINT, home.PREVIOUS):
        (path / name).unlink()
    with pytest.raises(StoreError, match="has no checkpoint, and so no weights to export"):
        weights(path, CONFIG)

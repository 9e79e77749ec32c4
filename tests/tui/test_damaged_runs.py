"""A stored run whose database is damaged goes on from its checkpoint with `c`, and the screen says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from person import Opener
from textual.widgets import DataTable

from d2ltui.engine.control import Control
from d2ltui.runner.recording import RunRecording
from d2ltui.runner.worker import Worker
from d2ltui.spec.config import resolve
from d2ltui.store import home
from d2ltui.store.listing import info, runs

CONFIG = resolve({"model": "softmax", "dataset": "moons", "epochs": 3})


@pytest.fixture
def path() -> Path:
    """A run with a checkpoint, whose database holds nothing that it wrote."""
    worker = Worker()
    worker.start(CONFIG, record=lambda control: RunRecording.new(CONFIG, control), control=Control())
    assert worker.join(60)
    (run,) = runs()
    (run.path / home.DATABASE).write_bytes(b"x" * 10_000)
    return run.path


async def test_c_goes_on_from_the_checkpoint_and_says_so(open_app: Opener, path: Path) -> None:
    async with open_app() as person:
        await person.press("R")
        table = person.app.screen.query_one(DataTable)
        await person.until(lambda: table.row_count == 1 and "damaged" in person.text(), "the run in the list")
        await person.press("c")
        await person.until(lambda: person.app.screen is person.main, "the run on the screen")
        await person.until_word("finished")
        told = f"run: {path.name} is damaged (run.db: file is not a database); a new run.db begins at its checkpoint"
        await person.until(lambda: told in " ".join(person.status.split()), "what was done")
    assert (info(path).status, (path / "run.db.damaged").read_bytes()) == ("finished", b"x" * 10_000)


@pytest.mark.parametrize("harm", ["gone", "damaged"])
async def test_without_a_whole_checkpoint_there_is_a_sentence(open_app: Opener, path: Path, harm: str) -> None:
    for name in (home.CHECKPOINT, home.PREVIOUS):
        if harm == "gone":
            (path / name).unlink()
        else:
            (path / name).write_bytes(b"damaged")
    async with open_app() as person:
        assert await person.app.stored.resume(path.name) == (harm == "damaged")
        if harm == "gone":
            await person.until(lambda: person.app._notifications, "why not")
            (notice,) = person.app._notifications
            assert notice.message == f"run: {path.name} is damaged (run.db: file is not a database)"
        else:
            await person.until_word("failed")
            assert "checkpoint: " in person.status
    assert (path / home.DATABASE).read_bytes() == b"x" * 10_000
    assert not (path / "run.db.damaged").exists()

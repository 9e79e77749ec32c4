"""A run of another program in the store: listed, shown, compared, exported, watched, and opened in the interface."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from person import Opener
from textual.widgets import DataTable

from d2ltui.spec import events
from d2ltui.spec.header import RunHeader
from d2ltui.store.reader import RunReader
from d2ltui.store.writer import StoreThread
from tests.commands import Command

STEPS = 40
HEADER = RunHeader(params={"learning_rate": 1e-7, "blocks": [3, 4]}, name="My loop", source="train.py")


def stored() -> Path:
    """A run of which the store is told no more than steps, two evaluations and the end."""
    store = StoreThread(HEADER)
    losses = np.linspace(2, 1, STEPS, dtype=np.float32)
    store(events.StatusChanged("training"))
    for epoch, half in enumerate((losses[: STEPS // 2], losses[STEPS // 2 :]), 1):
        step = epoch * STEPS // 2
        store(events.StepsTrained(step, half, half / 4, 1.5 * epoch))
        store(events.EpochEnded(epoch, step, 1.5, 1.25 / epoch, 0.3, 0.4, 1.5 * epoch))
    store(events.RunEnded("finished", "after 2 epochs", {"steps": STEPS}))
    assert store.close()
    assert store.trouble == ""
    assert store.path is not None
    return store.path


def test_the_shell_knows_it_by_its_header(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("D2LTUI_HOME", str(tmp_path))
    name = stored().name
    assert name.startswith("my-loop-")
    status, out, err = command("runs")
    assert (status, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [[name, "finished"]]
    assert " 2/? " in out
    (row,) = json.loads(command("runs", "--json")[1])
    assert (row["config"], row["header"]["params"], row["val_accuracy"]) == (None, HEADER.params, pytest.approx(0.4))
    assert json.loads(command("runs", "epochs>1", "lr>0", "--json")[1]) == []
    status, out, err = command("show", name)
    assert (status, err) == (0, "")
    assert "learning_rate 1e-7  blocks 3,4" in out
    assert "40 steps, 3 s" in out
    other = stored().name
    status, out, err = command("compare", name, other)
    assert (status, err) == (0, "")
    assert "0.625" in out
    rows = list(csv.DictReader(io.StringIO(command("export", name, "--csv")[1])))
    assert [float(rows[-1][key]) for key in ("step", "train_loss", "val_accuracy")] == pytest.approx([40, 1, 0.4])
    assert len(json.loads(command("export", name, "--json")[1])["epochs"]) == 2
    assert command("export", name, "--svg")[1].startswith("<svg")
    for arguments in (("export", name, "--code"), ("train", "--resume", name)):
        status, out, err = command(*arguments)
        assert status in (1, 2)
        assert "is trained by 'train.py', which keeps its network to itself" in err
        assert "Traceback" not in err
    with RunReader(tmp_path / "runs" / name) as reader:
        assert (reader.live.header, reader.alive) == (HEADER, False)


async def test_the_interface_opens_it(open_app: Opener, d2ltui_home: Path) -> None:
    name = stored().name
    async with open_app(size=(160, 50)) as person:
        await person.press("R")
        table = person.app.screen.query_one(DataTable)
        await person.until(lambda: table.row_count == 1, "the run")
        assert [str(cell) for cell in table.get_row_at(0)][1:4] == [name, "finished", "2/?"]
        await person.press("space")
        await person.until(lambda: f"─a─ {name}: 1.25 0.4" in person.text(), "its figures at the first epoch")
        await person.press("enter")
        await person.until(lambda: "finished" in person.status, "the run on the screen")
        before = person.app.main.described()
        for key in ("p", "p", "i", "l", "right", "left", "z", "z", "f", "u"):
            await person.press(key)
        await person.until(lambda: "1.25" in person.text() or "0.625" in person.text(), "its losses")
        assert person.app.main.described() == before  # the form describes what it did
        await person.press("c")
        assert "this run is trained by 'train.py', which keeps its code to itself" in person.status
        assert person.app.screen is person.main
        assert person.app._exception is None

"""What earlier versions have stored can be listed, shown, exported and resumed, with the figures of that time.

A run that was interrupted ends with the losses and weights that it would have had without (see tests/golden).
"""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from d2ltui.spec.numbers import number
from d2ltui.store import listing
from tests.commands import Command
from tests.golden import VERSIONS, expected, lacking, unpack
from tests.scripts import network

# What dropout keeps of twelve outputs after the seed 3, with the PyTorch that made the store.
MASK = [True, True, False, True, False, False, True, True, True, False, True, False]

pytestmark = pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.name, scope="module")


@pytest.fixture(scope="module")
def golden_home(version: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that nothing but reading happens to."""
    return unpack(version, tmp_path_factory.mktemp("golden"))


@pytest.fixture
def command(golden_home: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("D2LTUI_HOME", str(golden_home))
    return command


def rows_of(text: str) -> list[dict[str, float]]:
    """A CSV file's rows; what is empty is left out."""
    reader = csv.DictReader(io.StringIO(text))
    return [{key: float(value) for key, value in row.items() if value} for row in reader]


def test_runs_lists_all_with_their_figures(version: Path, command: Command) -> None:
    status, out, err = command("runs", "--json")
    assert (status, err) == (0, "")
    found = {row["name"]: row for row in json.loads(out)}
    wanted = {name: dict(run["row"]) for name, run in expected(version)["runs"].items()}
    assert found.keys() == wanted.keys()
    for name, row in wanted.items():
        # They were sentences, and are what they were made from: of another version, some words may be better by now.
        assert [finding["what"] for finding in found[name]["findings"]] == row.pop("findings")
        for words in ("path", "message"):  # of that machine; words that may be better by now
            del row[words]
    assert lacking(found, wanted) == []
    assert {run["row"]["status"] for run in expected(version)["runs"].values()} >= {
        "finished", "stopped", "diverged", "failed", "interrupted", "damaged"
    }  # fmt: skip


def test_filters_find_the_same_runs(version: Path, command: Command) -> None:
    for text, names in expected(version)["filters"].items():
        status, out, _ = command("runs", *text.split(), "--json")
        assert (status, sorted(row["name"] for row in json.loads(out))) == (0, sorted(names)), text


def test_show_and_csv_and_json_have_the_same_figures(version: Path, command: Command) -> None:
    for name, run in expected(version)["runs"].items():
        row = run["row"]
        status, out, err = command("show", name)
        assert status == run["exit"]["show"], err
        assert "Traceback" not in err
        if status == 0:
            last = run["json"]["epochs"][-1:]
            shown = [number(epoch[figure], 4) for epoch in last for figure in ("train_loss", "val_loss")]
            assert [text for text in (name, row["status"], *shown) if text not in out] == []
        status, out, err = command("export", name, "--csv")
        assert status == run["exit"]["csv"], err
        for found, wanted in zip(rows_of(out), rows_of(run["csv"]), strict=True):
            assert found.keys() >= wanted.keys(), name
            for key, value in wanted.items():
                assert found[key] == value or (math.isnan(found[key]) and math.isnan(value)), (name, key)
        status, out, err = command("export", name, "--json")
        assert status == run["exit"]["json"], err
        if status == 0:
            exported = json.loads(out)
            figures = {key: value for key, value in run["json"].items() if key != "findings"}
            assert lacking(exported, figures, name) == []
            judged = ("rule", "severity", "layer", "step", "figure", "remedy")
            for found, wanted in zip(exported["findings"], run["json"]["findings"], strict=True):
                assert lacking(found, {key: wanted[key] for key in judged}, name) == []


def test_compare_has_their_figures(version: Path, command: Command) -> None:
    runs = expected(version)["runs"]
    alike = ["finished-softmax", "sick-relus", "stopped-softmax", "recovered"]
    for names in (alike, ["finished-linear", "finished-mlp"]):
        status, out, err = command("compare", *names)
        assert (status, err) == (0, "")
        for name in names:
            assert name in out
            assert number(runs[name]["row"]["val_loss"], 4) in out
    assert command("compare", "finished-linear", "damaged")[0] == 1


def test_compare_marks_each_curve_with_the_letter_of_its_run(version: Path, command: Command) -> None:
    """Also where curves lie on each other, as the losses of the first two do."""
    runs = {"a": "finished-softmax", "b": "stopped-softmax", "c": "recovered"}
    lines = command("compare", *runs.values())[1].splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == [f"{mark}  {name}" for mark, name in runs.items()]
    header = next(line for line in lines if line.split() == [*runs])
    begins = [lines.index(title) for title in ("training loss", "validation loss", "validation accuracy")]
    for begin, end in zip(begins, [*begins[1:], lines.index(header)], strict=True):
        legend, *plot, _axis = lines[begin + 1 : end]
        for mark, name in runs.items():
            assert f"─{mark}─ {name}" in legend
            assert mark in "".join(plot), (lines[begin], mark)


def test_svg_and_tensorboard(version: Path, command: Command, tmp_path: Path) -> None:
    for name in ("finished-linear", "interrupted-adam"):
        status, out, _ = command("export", name, "--svg")
        assert status == 0
        assert name in "".join(ElementTree.fromstring(out).itertext())
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert command("export", "finished-mlp", "--tensorboard", "-o", str(tmp_path / "board"))[0] == 0
    board = accumulator.EventAccumulator(str(tmp_path / "board"), size_guidance={"scalars": 0}).Reload()
    epochs = expected(version)["runs"]["finished-mlp"]["json"]["epochs"]
    found = [(scalar.step, scalar.value) for scalar in board.Scalars("loss/val")]
    assert found == [(epoch["step"], epoch["val_loss"]) for epoch in epochs]


def network_of(name: str, command: Command, directory: Path) -> tuple[dict[str, torch.Tensor], Any]:
    """The exported weights of a run, and the network that the exported code makes of them."""
    directory.mkdir()
    status, _, err = command("export", name, "--weights", "-o", str(directory / "weights.pt"))
    assert status == 0, err
    code = command("export", name, "--code")[1]
    return torch.load(directory / "weights.pt", weights_only=True), network(code, directory / "weights.pt")


def check_network(name: str, wanted: dict[str, Any], command: Command, directory: Path, rtol: float) -> None:
    weights, network = network_of(name, command, directory)
    assert weights.keys() == wanted["weights"].keys(), name
    for key, value in weights.items():
        np.testing.assert_allclose(value.flatten(), wanted["weights"][key], rtol, rtol / 10, err_msg=f"{name}: {key}")
    width = next(value for key, value in weights.items() if key.endswith("weight")).shape[1]
    with torch.no_grad():
        outputs = network(torch.linspace(-1, 1, 2 * width).reshape(2, -1))
    np.testing.assert_allclose(outputs, wanted["outputs"], max(rtol, 1e-4), 1e-5, err_msg=name)


def test_weights_and_code_make_the_same_network(version: Path, command: Command, tmp_path: Path) -> None:
    checked = 0
    for name, run in expected(version)["runs"].items():
        if run["weights"]["status"]:
            status = command("export", name, "--weights", "-o", str(tmp_path / name))[0]
            assert status == run["weights"]["status"], name
        else:
            check_network(name, run["weights"], command, tmp_path / name, rtol=0.0)
            checked += 1
    assert checked >= 10


def test_what_can_be_resumed_ends_as_if_it_had_never_ended(
    version: Path, command: Command, golden_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tolerances are for other processors: on the one that made the store there is no difference.

    With dropout there is another run where another PyTorch draws otherwise.
    """
    torch.manual_seed(3)
    draws_alike = torch.nn.functional.dropout(torch.ones(12), 0.5).bool().tolist() == MASK
    home = tmp_path / "home"
    resumed = 0
    for name, run in expected(version)["runs"].items():
        wanted = run["resumed"]
        if "failed-loading" in name:  # where its data were not, some may be by now
            continue
        shutil.copytree(golden_home / "runs" / name, home / "runs" / name)
        monkeypatch.setenv("D2LTUI_HOME", str(home))
        status, out, err = command("train", "--resume", name, "--quiet", "--json")
        assert status == wanted["status"], f"{name}: {err}"
        assert "Traceback" not in err
        if status:
            continue
        resumed += 1
        summary = json.loads(out.splitlines()[-1])
        config = listing.info(home / "runs" / name).config
        if not draws_alike and config is not None and config.dropout:
            assert summary["steps"] == wanted["summary"]["steps"]
            continue
        for figure, value in wanted["summary"].items():
            if isinstance(value, float) and "second" not in figure and not figure.endswith("_per_s"):
                assert summary[figure] == pytest.approx(value, rel=1e-3), (name, figure)
            elif isinstance(value, (int, str)) and not isinstance(value, bool):
                assert summary[figure] == value, (name, figure)
        found = rows_of(command("export", name, "--csv")[1])
        for row, other in zip(found, rows_of(wanted["csv"]), strict=True):
            for key, value in other.items():
                assert row[key] == pytest.approx(value, rel=1e-3, abs=1e-6, nan_ok=True), (name, key, row["step"])
        check_network(name, wanted["weights"], command, tmp_path / name, rtol=1e-3)
    assert resumed >= 10

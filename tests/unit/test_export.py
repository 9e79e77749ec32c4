"""What other programs get of a stored run."""

from __future__ import annotations

import csv
import errno
import itertools
import json
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from runs import Copied
from torch import nn

from d2ltui.data import load
from d2ltui.engine.control import Control
from d2ltui.runner.headless import run
from d2ltui.runner.recording import RunRecording
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.store.export import as_json, csv_lines, json_text
from d2ltui.store.reader import RunReader
from tests.scripts import network


def trained(config: RunConfig) -> tuple[Path, dict[str, object]]:
    """A stored run's directory, and its summary."""
    control = Control()
    recording = RunRecording.new(config, control)
    ended = run(config, control, [recording.live], recording)
    assert recording.trouble == ""
    assert recording.store.path is not None
    return recording.store.path, ended.summary


def short() -> Path:
    return trained(resolve({"dataset": "moons", "epochs": 3, "batch_size": 300, "device": "cpu", "hidden": "4"}))[0]


@pytest.fixture
def path(copied: Copied) -> Path:
    return copied(short)


def test_csv(path: Path) -> None:
    with RunReader(path) as reader:
        rows = list(csv.DictReader(csv_lines(reader)))
        live = reader.live
    assert list(rows[0]) == ["step", "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy"]
    np.testing.assert_array_equal(np.array([row["train_loss"] for row in rows], np.float32), live.losses.values())
    assert [row["epoch"] for row in rows] == list("111222333")
    ended = [row for row in rows if row["val_loss"]]
    assert [row["step"] for row in ended] == ["3", "6", "9"]
    assert [np.float32(row["val_loss"]) for row in ended] == [np.float32(epoch.val_loss) for epoch in live.epochs]


def test_json(path: Path) -> None:
    with RunReader(path) as reader:
        found = json.loads(json_text(reader), parse_constant=lambda name: pytest.fail(name))
        assert found["steps"]["train_loss"] == reader.live.losses.values().tolist()
        assert found["config"]["hidden"] == [4]
        assert found["summary"]["status"] == found["status"] == "finished"
        reader.live.losses.append(math.inf)
        assert as_json(reader)["steps"]["train_loss"][-1] is None


def test_json_has_everything_but_the_histograms(path: Path) -> None:
    with RunReader(path) as reader:
        found = json.loads(json_text(reader), parse_constant=lambda name: pytest.fail(name))
        looks, log = list(reader.all_layers()), reader.log()
    assert [look["step"] for look in found["layers"]] == [look.step for look in looks]
    for told, look in zip(found["layers"], looks, strict=True):
        assert told["loss"] == look.loss
        for layer, stats in zip(told["layers"], look.layers, strict=True):
            assert {name: getattr(stats, name) for name in layer} == {**layer, "parameters": tuple(layer["parameters"])}
            assert {"index", "title", "mean", "sd", "dead", "gradient_norm", "update_ratio"} <= set(layer)
            assert not {"counts", "gradient_counts", "unit_activity"} & set(layer)
    assert [(entry["time"], entry["kind"]) for entry in found["log"]] == [(when, kind) for when, kind, _ in log]
    assert found["log"][-1]["kind"] == "RunEnded"
    assert found["log"][-1]["status"] == "finished"


def test_tensorboard_reads_what_the_store_holds(path: Path, tmp_path: Path, command) -> None:  # type: ignore[no-untyped-def]
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert command("export", path.name, "--tensorboard", "-o", str(tmp_path / "tb")) == (0, "", "")
    events = accumulator.EventAccumulator(str(tmp_path / "tb"), size_guidance={"scalars": 0, "histograms": 0}).Reload()
    with RunReader(path) as reader:
        live, looks = reader.live, list(reader.all_layers())
    for tag, series in (("loss/step", live.losses), ("accuracy/step", live.metrics)):
        scalars = events.Scalars(tag)
        assert [scalar.step for scalar in scalars] == list(range(1, 10))
        assert [scalar.value for scalar in scalars] == series.values().tolist()
    for tag, name in (("loss/train", "train_loss"), ("loss/val", "val_loss"), ("accuracy/val", "val_metric")):
        assert [(s.step, s.value) for s in events.Scalars(tag)] == [(e.step, getattr(e, name)) for e in live.epochs]
    for layer in looks[-1].layers:
        told = events.Histograms(f"outputs/{layer.index} {layer.title}")
        assert [histogram.step for histogram in told] == [look.step for look in looks]
        last = told[-1].histogram_value
        assert [n for n in last.bucket if n] == [n for n in layer.counts if n]
        assert (last.min, last.max, last.num) == (layer.minimum, layer.maximum, sum(layer.counts))
        assert last.sum / last.num == pytest.approx(layer.mean, abs=1e-9)
        if layer.gradient_counts:
            gradient = events.Histograms(f"gradients/{layer.index} {layer.title}")[-1].histogram_value
            assert gradient.num == sum(layer.gradient_counts)


@pytest.mark.parametrize(
    "given",
    [
        {"dataset": "digits", "hidden": "16,8", "dropout": 0.2, "activation": "tanh"},
        {"dataset": "digits", "hidden": "16", "implementation": "scratch"},
        {"dataset": "digits", "hidden": "8,8", "activation": "identity"},
        {"model": "linear"},
    ],
    ids=["concise", "scratch", "identity", "linear"],
)
def test_the_weights_fit_the_code(
    command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, object],  # type: ignore[no-untyped-def]
) -> None:
    config = resolve({**given, "epochs": 2, "device": "cpu"})
    path, summary = trained(config)
    monkeypatch.chdir(tmp_path)
    status, code, err = command("export", path.name, "--code")
    assert (status, err) == (0, "")
    (making,) = (line for line in code.splitlines() if line.startswith("# d2ltui "))
    assert command(*making.split()[2:]) == (0, "", "")  # the code itself says where its weights come from
    net = network(code, tmp_path / "weights.pt")
    assert type(net) is nn.Sequential
    data = load(config)
    with torch.inference_mode():
        output = net(data.x_val)
    if config.task == "classification":
        accuracy = (output.argmax(1) == data.y_val).double().mean().item()
        assert accuracy == pytest.approx(summary["val_accuracy"])
        assert nn.functional.cross_entropy(output, data.y_val).item() == pytest.approx(summary["val_loss"], rel=1e-5)
    else:
        assert nn.functional.mse_loss(output, data.y_val).item() == pytest.approx(summary["val_loss"], rel=1e-5)


def test_svg_is_a_picture(path: Path, command) -> None:  # type: ignore[no-untyped-def]
    status, text, _ = command("export", "latest", "--svg")
    root = ElementTree.fromstring(text)
    assert status == 0
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(root.findall(".//{*}polyline")) >= 4  # training and validation, loss and accuracy
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_nothing_is_overwritten(path: Path, command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "x").write_text("mine")
    (tmp_path / "x-2").touch()
    for form in ("csv", "json", "svg", "code", "weights", "tensorboard"):
        status, out, err = command("export", path.name, f"--{form}", "-o", str(tmp_path / "x"))
        assert (status, out) == (2, "")
        assert err == (
            f"d2ltui: output: '{tmp_path}/x' is not allowed (it is there already, and nothing is overwritten); "
            f"allowed: a path where there is nothing yet, such as -o {tmp_path}/x-3\n"
        )
    assert (tmp_path / "x").read_text() == "mine"
    (tmp_path / "tb").mkdir()
    (tmp_path / "tb" / "events.out.tfevents.1").write_text("of before")
    status, out, err = command("export", path.name, "--tensorboard", "-o", str(tmp_path / "tb"))
    assert (status, out) == (2, "")
    assert err.startswith(
        f"d2ltui: output: '{tmp_path}/tb' is not allowed (its files would be read as one run with these"
    )
    assert err.endswith(f"nothing yet, or an empty directory, such as -o {tmp_path}/tb-2\n")
    assert len(list((tmp_path / "tb").iterdir())) == 1


def test_the_same_events_are_not_written_twice(path: Path, command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("tensorboard")
    (tmp_path / "tb").mkdir()
    assert command("export", path.name, "--tensorboard", "-o", str(tmp_path / "tb")) == (0, "", "")
    (written,) = (tmp_path / "tb").iterdir()
    assert command("export", path.name, "--tensorboard", "-o", str(tmp_path / "tb"))[0] == 2
    assert list((tmp_path / "tb").iterdir()) == [written]


@pytest.mark.parametrize(
    ("name", "why"),
    [("no/x", "No such file or directory"), ("file/x", "Not a directory"), ("a" * 300, "File name too long")],
)
@pytest.mark.parametrize("form", ["csv", "weights", "tensorboard"])
def test_a_path_that_cannot_be_is_a_wrong_argument(
    path: Path,
    command,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    form: str,
    name: str,
    why: str,
) -> None:
    (tmp_path / "file").write_text("mine")
    if form == "tensorboard":
        pytest.importorskip("tensorboard")
        if name == "no/x":  # a directory, and those that it stands in, are made
            return
    status, out, err = command("export", path.name, f"--{form}", "-o", str(tmp_path / name))
    assert (status, out) == (2, "")
    allowed = "a path that can be written"
    assert err == f"d2ltui: output: '{tmp_path / name}' is not allowed ({why}); allowed: {allowed}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export", "latest"), "export: no format is not allowed; allowed: --csv, --json, "),
        (("export", "latest", "--csv", "--json"), "export: --csv --json is not allowed; allowed: one of --csv, "),
        (("export", "latest", "--weights"), "output: it is missing; allowed: with --weights, -o (--output) PATH"),
        (
            ("export", "latest", "--csv", "-o", ""),
            "output: '' is not allowed; allowed: a path where there is nothing yet",
        ),
        (("export", "../x", "--csv"), "run: '../x' is not allowed; allowed: a run's name, "),
        (("show", "nothing"), "run: 'nothing' is not known; allowed: mlp-moons-1"),
        (("compare",), "compare: 0 runs are not allowed; allowed: two or more"),
        (("compare", "latest"), "compare: 1 run is not allowed; allowed: two or more"),
        (("runs", "lr"), "filter: 'lr' alone is not allowed; allowed: lr, one of "),
        (("runs", "lr>>1"), "filter: lr '>1' is not allowed; allowed: a number"),
        (("train", "--resume", "latest"), "run: mlp-moons-1 has finished; allowed: one that was stopped, "),
        (("train", "--resume", "latest", "--lr", "1"), "resume: --lr is not allowed with it; allowed: --json, "),
        (("--seed", "1", "train", "--resume", "latest", "--no-store"), "resume: --seed --no-store is not allowed with"),
        (("train", "--seeds", "0"), "seeds: '0' is not allowed; allowed: a whole number from 1 to 1000"),
        (("train", "--seeds", "x"), "seeds: 'x' is not allowed; allowed: a whole number from 1 to 1000"),
        (("train", "--seeds", "1001"), "seeds: '1001' is not allowed; allowed: a whole number from 1 to 1000"),
        (("train", "--on-hangup", "wait"), "on-hangup: 'wait' is not allowed; allowed: continue, stop"),
        (("sweep", "--lr", "1"), "sweep: one run is not allowed; allowed: more than one value for some option"),
        (("sweep", "--lr", ""), "lr: '' is not allowed; allowed: a finite number greater than 0"),
        (("sweep", "--lr", "0.1,"), "lr: '' is not allowed; allowed: a finite number greater than 0"),
        (("sweep", "--lr", "0.1,0.1"), "lr: '0.1' is not allowed twice; allowed: each value once"),
        (("sweep", "--lr", "0.1,0.10,1"), "lr: '0.10' is not allowed twice; allowed: each value once"),
        (("sweep", "--hidden", "8", "--hidden", "8"), "hidden: '8' is not allowed twice; allowed: each value once"),
        (("sweep", "--batch-size", "8,x"), "batch-size: 'x' is not allowed; allowed: a whole number, 1 or more"),
        (("sweep", "--lr", "1,x"), "lr: 'x' is not allowed; allowed: a finite number greater than 0"),
    ],
)
def test_wrong_arguments(path: Path, command, arguments: tuple[str, ...], said: str) -> None:  # type: ignore[no-untyped-def]
    status, out, err = command(*arguments)
    assert err.startswith(f"d2ltui: {said}"), err
    assert (status, out, err.count("\n")) == (2, "", 1)


def test_one_format_at_a_time(path: Path, command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    allowed = "one of --csv, --json, --svg, --code, --weights, --tensorboard, --picture"
    for two in itertools.combinations(("--csv", "--json", "--svg", "--code", "--weights", "--tensorboard"), 2):
        for more in ((), ("--output", str(tmp_path / "x"))):
            status, out, err = command("export", path.name, *two[::-1], *more)
            assert (status, out) == (2, "")
            assert err == f"d2ltui: export: {' '.join(two)} is not allowed; allowed: {allowed}\n"
    assert not (tmp_path / "x").exists()


def test_the_lists_and_charts(path: Path, command) -> None:  # type: ignore[no-untyped-def]
    other, _ = trained(resolve({"dataset": "moons", "epochs": 2, "batch_size": 300, "lr": 0.5, "device": "cpu"}))
    status, out, err = command("runs", "lr<0.4", "model=mlp")
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["run", path.name]
    (one,) = json.loads(command("runs", "lr=0.5", "--json")[1])
    assert (one["name"], one["status"], one["config"]["lr"]) == (other.name, "finished", 0.5)
    out = command("show", path.name)[1]
    assert out.startswith(f"{path.name}: finished, after 3 epochs: ")
    assert all(text in out for text in ("loss\n", "accuracy\n", "─●─ val", "epoch  train loss"))
    out = command("compare", path.name, other.name)[1]
    assert all(text in out for text in (f"─a─ {path.name}  ─b─ {other.name}", "validation accuracy"))
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line[:1].isalpha()}
    assert rows["lr"] == ["0.3", "0.5"]
    assert rows["epochs"] == ["ended", "3", "2"]
    assert "batch_size" not in rows
    assert "note:" not in out


def test_linear_regression_from_scratch_and_concise_are_compared_in_one_unit(command) -> None:  # type: ignore[no-untyped-def]
    given = {"model": "linear", "epochs": 2, "batch_size": 100, "device": "cpu"}
    runs = [trained(resolve({**given, "implementation": name})) for name in ("scratch", "concise")]
    out = command("compare", *(path.name for path, _ in runs))[1]
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line[:1].isalpha()}
    scratch, concise = (float(value) for value in rows["val_loss"])
    told = [json.loads(command("export", path.name, "--json")[1]) for path, _ in runs]
    assert scratch == pytest.approx(2 * told[0]["epochs"][-1]["val_loss"], rel=1e-3)
    assert concise == pytest.approx(told[1]["epochs"][-1]["val_loss"], rel=1e-3)
    notes = [line for line in out.splitlines() if line.startswith("note: ")]
    assert len(notes) == 2
    assert "shown as (ŷ − y)²" in notes[0]
    assert "halves the gradient" in notes[1]


def test_seeds_and_a_sweep_are_groups(command) -> None:  # type: ignore[no-untyped-def]
    common = ("--dataset", "moons", "--epochs", "2", "--hidden", "4", "--batch-size", "300", "--device", "cpu")
    status, out, _ = command("train", "--seeds", "3", "--json", *common)
    assert status == 0
    found = json.loads(out.splitlines()[-1])
    losses = [one["val_loss"] for one in found["runs"]]
    assert [one["seed"] for one in found["runs"]] == [0, 1, 2]
    assert len(set(losses)) == 3
    assert found["mean"]["val_loss"] == pytest.approx(np.mean(losses))
    assert found["sd"]["val_loss"] == pytest.approx(np.std(losses, ddof=1))
    assert "band from the lowest to the highest of 3" in out
    status, out, _ = command("sweep", "--lr", "0.1,1e30", "--activation", "relu,sigmoid", "--json", *common)
    assert status == 0
    sweep = json.loads(out.splitlines()[-1])
    assert [(one["lr"], one["activation"]) for one in sweep["runs"]] == [
        (0.1, "relu"), (1e30, "relu"), (0.1, "sigmoid"), (1e30, "sigmoid"),
    ]  # fmt: skip
    assert sweep["runs"][0]["status"] == "finished"
    assert "diverged" in [one["status"] for one in sweep["runs"]]
    listed = json.loads(command("runs", f"group={sweep['group']}", "--json")[1])
    assert len(listed) == 4
    assert [one["name"] for one in reversed(listed)] == [one["run"] for one in sweep["runs"]]  # the newest first
    best = min((one for one in sweep["runs"] if one["status"] == "finished"), key=lambda one: one["val_loss"])
    assert sweep["best"] == best
    finished = sum(one["status"] == "finished" for one in sweep["runs"])
    assert sweep["n"] == finished < 4
    assert f"{finished} of 4 runs finished" in out
    told = f"({best['run']}: activation {best['activation']}, lr 0.1)"
    assert f"least validation loss: {best['val_loss']:.4g} {told}" in out
    assert len(json.loads(command("runs", f"group={found['group']}", "--json")[1])) == 3


def test_nothing_is_stored_where_that_is_not_wanted(command, d2ltui_home: Path) -> None:  # type: ignore[no-untyped-def]
    assert command("train", "--model", "linear", "--no-store", "--quiet", "--device", "cpu")[0] == 0
    assert list(d2ltui_home.iterdir()) == []


def test_an_export_that_fails_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    from d2ltui.cli.stored import _write
    from d2ltui.store import StoreError

    def half() -> Iterator[bytes]:
        yield b"half"
        raise OSError(errno.ENOSPC, "No space left on device")

    target = tmp_path / "run.csv"
    with pytest.raises(StoreError, match="No space left"):
        _write(target, half())
    assert not target.exists()
    _write(target, iter([b"whole"]))
    assert target.read_bytes() == b"whole"

"""A run that is well says what was looked at, and names nothing else."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from runs import short

from d2ltui.cli.app import cli
from d2ltui.data import load
from d2ltui.engine import doctor
from d2ltui.engine.patient import Patient
from d2ltui.history.epochs import Epochs
from d2ltui.history.live import LiveRun
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import resolve
from d2ltui.spec.findings import all_well
from d2ltui.store import home
from d2ltui.store.reader import RunReader
from d2ltui.store.session import RunWriter
from d2ltui.tui.panes.finding_lines import finding_lines

NOTE = events.Finding("dead-relu", "note", 2, 3, 0.5, "Some are dead.", "Why.", "", {})
LOOKED_AT = ("loss and accuracy of 2 epochs", "activations of 3 layers", "gradients of 2 layers")
SENTENCE = "Looked at loss and accuracy of 2 epochs, activations of 3 layers and gradients of 2 layers: all well."
CONFIG = short()


def ended(*findings: events.Finding, looked_at: tuple[str, ...] = LOOKED_AT) -> Path:
    """A stored run whose last diagnosis is this one."""
    path = home.create("run", lambda made: RunWriter.make(made, CONFIG, None))
    figures = np.ones(10, np.float32)
    with contextlib.closing(RunWriter(path, CONFIG)) as session:
        for event in (
            events.RunStarted(CONFIG, "cpu", catalogue.layer_plan(CONFIG), 1000, 1000, 10, "in memory"),
            events.StepsTrained(10, figures, figures, 0.5),
            events.FindingsChanged(10, findings, looked_at),
            events.RunEnded("finished", "after 1 epoch", {}),
        ):
            session.take(event)
        session.write()
    return path


def test_one_line_and_only_where_all_is_well() -> None:
    assert all_well([], LOOKED_AT) == all_well([NOTE], LOOKED_AT) == SENTENCE
    assert all_well([], ("inputs",)) == "Looked at inputs: all well."
    assert all_well([], ()) == "", "nobody has looked"
    for severity in ("warning", "alarm"):
        assert all_well([msgspec.structs.replace(NOTE, severity=severity)], LOOKED_AT) == ""


def test_the_pane_says_it_above_the_notes() -> None:
    lines, starts = finding_lines([NOTE], 0, 60, SENTENCE)
    text = ["".join(part for _, part in line) for line in lines]
    assert text[0].startswith(" ✓ Looked at loss and accuracy")
    assert text[starts[0]] == " · Some are dead."
    assert " ".join(" ".join(text[: starts[0]]).split()) == f"✓ {SENTENCE}"


def test_a_stored_run_says_it_too(d2ltui_home: Path) -> None:
    well, sick = ended(NOTE), ended(msgspec.structs.replace(NOTE, severity="alarm"))
    undiagnosed = ended(looked_at=())
    assert SENTENCE in CliRunner().invoke(cli, ["show", well.name]).stdout.splitlines()
    for other in (sick, undiagnosed):
        assert "all well" not in CliRunner().invoke(cli, ["show", other.name]).stdout
    with RunReader(well) as reader:
        assert reader.live.looked_at == LOOKED_AT
        reader.live(events.RunResumed(5, 1, 0.1, 0.1))
        assert reader.live.looked_at == (), "it has not ended now"


@pytest.mark.parametrize("dataset", ["moons", "synthetic-linear"])
def test_what_was_looked_at_is_what_the_line_names(dataset: str, d2ltui_home: Path) -> None:
    """One that learns, and is not examined any further: no setting was tried, and none is named."""
    model = ["--hidden", "16", "--lr", "0.03", "--optimizer", "adam"] if dataset == "moons" else ["--model", "linear"]
    if dataset == "moons":  # smoothed labels leave a train loss far above 0, which is no complaint either
        model += ["--label-smoothing", "0.8"]
    result = CliRunner().invoke(cli, ["train", "--dataset", dataset, *model, "--epochs", "12", "--seed", "1"])
    assert result.exit_code == 0
    layers = ("3 layers", "2 layers", "accuracy") if dataset == "moons" else ("1 layer", "1 layer", "R²")
    places = f"activations of {layers[0]}, gradients of {layers[1]}, inputs, labels and initial weights"
    told = f"Looked at loss and {layers[2]} of 12 epochs, {places}: all well."
    assert result.stderr.splitlines()[-1] == told
    assert told in CliRunner().invoke(cli, ["show", "latest"]).stdout


def test_one_that_is_examined_further_names_that_too() -> None:
    config = resolve({"dataset": "moons", "hidden": "16", "weight_decay": 0.01, "epochs": 1})
    epoch = events.EpochEnded(1, 25, 0.4, 0.4, 0.8, 0.8, 0.1)
    data = load(config, lambda message, fraction: None, lambda: False)
    patient = Patient(config, data, Epochs.of([epoch]), False, 25, (), ("activations of 3 layers",))
    tried: list[object] = []
    examined = doctor.examine(patient, lambda config, _: tried.append(config) or [epoch], lambda *_: None)
    assert examined.findings == ()
    assert tried
    settings = f"what {len(tried)} other setting{'s' * (len(tried) > 1)} would bring"
    assert examined.looked_at == (
        "loss and accuracy of 1 epoch", "activations of 3 layers", "inputs", "labels", settings
    )  # fmt: skip


def test_a_quiet_run_that_is_well_says_nothing(d2ltui_home: Path) -> None:
    given = ["--model", "linear", "--epochs", "2", "--quiet", "--json"]
    result = CliRunner().invoke(cli, ["train", *given])
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["findings"] == []


def test_where_nobody_has_looked_nothing_is_named() -> None:
    live = LiveRun(resolve({"model": "linear"}))
    live(events.FindingsChanged(3, ()))
    assert all_well(live.findings, live.looked_at) == ""

"""Maps: a network for each cell of a grid, trained, drawn, stored, resumed and told as JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from runs import run

from d2ltui.charts import of_map
from d2ltui.cli import mapping
from d2ltui.data import Dataset, LoadCancelled, load
from d2ltui.diagnosis.look_batched import look_at_all
from d2ltui.diagnosis.probes import probe, probe_batch
from d2ltui.engine import map as map_module
from d2ltui.engine.control import Control
from d2ltui.engine.map import Cell, Figures, MapTraining
from d2ltui.engine.map_merge import merge
from d2ltui.nn import build
from d2ltui.nn.batched import BatchedNetwork
from d2ltui.spec import catalogue, events
from d2ltui.spec.axes import Axis
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.events import LayersProbed
from d2ltui.spec.maps import Known, MapSpec, best
from d2ltui.store import maps

CIRCLES: dict[str, object] = {
    "dataset": "circles", "hidden": "8,6", "batch_size": 200, "epochs": 3, "device": "cpu", "threads": 1,
}  # fmt: skip
OPTIONS = ("--dataset", "circles", "--hidden", "8", "--batch-size", "200", "--epochs", "3", "--device", "cpu")
AXES = ("--x", "lr=0.01:1e30:3", "--y", "init_std=0.1:1:2")


def grid(columns: int, rows: int, **given: object) -> dict[Cell, list[RunConfig]]:
    """Cells with rates that grow to the right, and initial weights that grow upwards."""
    base = resolve({**CIRCLES, "init": "normal", **given})
    rates, sds = np.geomspace(0.01, 3, columns), np.geomspace(0.1, 1, rows)

    def cell(i: int, j: int) -> RunConfig:
        return msgspec.structs.replace(base, lr=float(rates[i]), init_std=float(sds[j]))

    return {(i, j): [cell(i, j)] for i in range(columns) for j in range(rows)}


@pytest.mark.parametrize("workers", [1, 2])
def test_each_cell_is_its_own_run(workers: int) -> None:
    cells = grid(5, 5)
    done: dict[Cell, Figures] = {}
    levels: list[int] = []

    def take(ready: Any) -> None:
        done.update(ready)
        levels.append(len(done))

    training = MapTraining(cells, Control(), workers)
    assert training.train(take)
    assert done.keys() == cells.keys()
    assert training.steps == 25 * 12
    assert levels[0] == 4  # the corners, from which a picture begins
    for cell in ((0, 0), (2, 3), (3, 0), (4, 4)):
        _, tape = run(cells[cell][0])
        for name in ("val_loss", "train_loss", "val_accuracy"):
            assert done[cell][name] == pytest.approx(tape.ended.summary[name], rel=1e-4)
        assert done[cell]["status"] == tape.ended.summary["status"]


def test_what_has_other_shapes_and_what_cannot_be_stacked() -> None:
    cells = {
        (0, 0): [resolve(CIRCLES)],
        (1, 0): [resolve({**CIRCLES, "hidden": "4"})],
        (0, 1): [resolve({**CIRCLES, "activation": "tanh", "lr": 0.01})],
        (1, 1): [resolve({**CIRCLES, "optimizer": "adam"})],
    }
    done: dict[Cell, Figures] = {}
    assert MapTraining(cells, Control(), 1).train(done.update)
    for cell, configs in cells.items():
        _, tape = run(configs[0])
        assert done[cell]["val_loss"] == pytest.approx(tape.ended.summary["val_loss"], rel=1e-4)
    assert done[0, 0]["dead"] is not None
    assert done[0, 0]["saturated"] is None
    assert done[0, 1]["saturated"] is not None


def test_what_is_found_in_a_cell_is_what_is_found_in_its_run() -> None:
    """A rule that compares the accuracies of training and validation needs both."""
    config = resolve(
        {**CIRCLES, "noise": 0.12, "samples": 200, "hidden": "64", "epochs": 100, "batch_size": 32, "seed": 1,
         "optimizer": "adam", "lr": 0.01}
    )  # fmt: skip
    done: dict[Cell, Figures] = {}
    assert MapTraining({(0, 0): [config]}, Control(), 1).train(done.update)
    _, tape = run(config, diagnose=True, trials=False)
    (finding,) = tape.of(events.FindingsChanged)[-1].findings
    assert (finding.rule, finding.severity) == ("overfitting", "warning")
    assert done[0, 0]["finding"] == "overfitting"


@pytest.mark.parametrize("workers", [1, 2])
def test_those_that_train_alone_side_by_side_have_a_thread_each(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_module, "may_join", lambda config: None)
    monkeypatch.setattr("d2ltui.engine.threads.available_cores", lambda: 2)
    threads: list[int] = []

    class Counted(map_module.Trainer):
        def __init__(self, config: RunConfig, control: Control, sinks: list[events.Sink], **options: Any) -> None:
            super().__init__(config, control, [*sinks, self.take], **options)

        def take(self, event: events.Event) -> None:
            if isinstance(event, events.EpochEnded):
                threads.append(torch.get_num_threads())

    monkeypatch.setattr(map_module, "Trainer", Counted)
    cells = {cell: [msgspec.structs.replace(config, threads=2)] for cell, (config,) in grid(2, 1, epochs=1).items()}
    assert MapTraining(cells, Control(), workers).train(lambda ready: None)
    assert threads == [2 // workers] * 2


def test_one_that_is_no_population_trains_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_module, "may_join", lambda config: None)
    done: dict[Cell, Figures] = {}
    assert MapTraining(grid(2, 1), Control(), 2).train(done.update)
    for cell, configs in grid(2, 1).items():
        assert done[cell]["val_loss"] == run(configs[0])[1].ended.summary["val_loss"]


def test_dropout_of_those_that_train_alone_side_by_side_is_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_module, "may_join", lambda config: None)
    cells = grid(4, 1, dropout=0.5, batch_size=20, hidden="16")
    together: dict[Cell, Figures] = {}
    assert MapTraining(cells, Control(), 2).train(together.update)
    for cell, configs in cells.items():
        assert together[cell]["val_loss"] == run(configs[0])[1].ended.summary["val_loss"]


def test_memory_that_runs_out_halves_the_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Small(map_module.Population):
        def __init__(self, configs: Any, *rest: Any, **more: Any) -> None:
            sizes.append(len(configs))
            if len(configs) > 1:
                raise MemoryError
            super().__init__(configs, *rest, **more)

    monkeypatch.setattr(map_module, "Population", Small)
    done: dict[Cell, Figures] = {}
    assert MapTraining(grid(3, 1), Control(), 1).train(done.update)
    assert len(done) == 3
    assert sizes == [2, 1, 1] or sizes == [1, 1, 1]


def test_a_stop_ends_it_within_a_slice_and_keeps_what_is_done() -> None:
    control = Control()
    done: dict[Cell, Figures] = {}

    def take(ready: Any) -> None:
        done.update(ready)
        control.stop()

    assert not MapTraining(grid(5, 5, epochs=200), control, 1).train(take)
    assert len(done) == 4


def test_a_stop_while_the_data_is_loaded_ends_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control()

    def loads(config: RunConfig, cancelled: Callable[[], bool]) -> Dataset:
        control.stop()
        assert cancelled()
        raise LoadCancelled

    monkeypatch.setattr(map_module, "load", loads)
    assert not MapTraining(grid(2, 2), control, 1).train(lambda ready: pytest.fail("nothing was trained"))


def test_a_pause_holds_all_and_a_stop_ends_it() -> None:
    """The training waits at its first request; a second one ends it there."""
    control = Control("pause")
    paused: list[int] = []

    def progress() -> None:
        if not paused:
            paused.append(training.steps)
        control.stop()

    training = MapTraining(grid(2, 2, epochs=200), control, 1)
    assert not training.train(lambda ready: None, progress)
    assert paused == [0]
    assert training.steps == 0


def test_an_error_passes_and_ends_all() -> None:
    control = Control()
    broken = {(0, 0): [resolve({**CIRCLES, "device": "cuda:77"})]}
    with pytest.raises(ValueError, match="cuda:77"):
        MapTraining(broken, control, 2).train(lambda ready: None)


def test_a_look_at_all_is_a_look_at_each() -> None:
    configs = [resolve({**CIRCLES, "dropout": 0.2, "activation": "tanh", "seed": seed, "init": "normal", "init_std": 2})
               for seed in range(3)]  # fmt: skip
    data = load(configs[0])
    x, y = probe_batch(data.x_train, data.y_train)
    network = BatchedNetwork(configs, catalogue.layer_plan(configs[0]))
    for config, found in zip(configs, look_at_all(network, x.unsqueeze(0), y.unsqueeze(0), 7), strict=True):
        expected = probe(build(config), x, y, step=7)
        assert found.step == 7
        assert found.loss == pytest.approx(expected.loss, rel=1e-5)
        layers = [layer for layer in expected.layers if layer.kind != "dropout"]
        for mine, own in zip(found.layers, layers, strict=True):
            assert (mine.index, mine.title, mine.kind, mine.dead) == (own.index, own.title, own.kind, own.dead)
            for name in ("mean", "sd", "minimum", "maximum", "zeros", "saturated", "gradient_norm", "weight_norm"):
                here, there = getattr(mine, name), getattr(own, name)
                assert here == (there if there is None else pytest.approx(there, rel=1e-4, abs=1e-6)), name


def test_a_look_tells_what_is_not_finite() -> None:
    configs = [resolve({**CIRCLES, "seed": seed}) for seed in range(2)]
    data = load(configs[0])
    network = BatchedNetwork(configs, catalogue.layer_plan(configs[0]))
    network.rows(network.parameters)[0][1, 0] = torch.nan
    good, bad = look_at_all(network, data.x_train[None, :50], data.y_train[None, :50], 1)
    assert all(layer.nonfinite == 0 for layer in good.layers)
    assert bad.layers[0].nonfinite == 50


def test_seeds_are_merged_to_what_those_have_that_finished() -> None:
    def figures(loss: float | None, finding: str | None) -> Figures:
        status = "diverged" if loss is None else "finished"
        return {"val_loss": loss, "dead": None, "finding": finding, "status": status}

    assert merge([figures(1.0, None), figures(None, "divergence"), figures(2.0, None)]) == {
        "val_loss": 1.5, "dead": None, "finding": None, "status": "finished", "diverged": 1,
    }  # fmt: skip
    assert merge([figures(None, "divergence")] * 2)["status"] == "diverged"


def test_of_cells_that_are_as_good_one_without_any_loss_is_the_best() -> None:
    losses = (0.1, 0.0, None)
    done: dict[tuple[int, int], Figures] = {
        (i, 0): {"val_accuracy": 1.0, "val_loss": loss} for i, loss in enumerate(losses)
    }
    assert best(done, "val_accuracy") == ((1, 0), 1.0)


def test_more_findings_than_letters_of_the_alphabet_have_marks_of_their_own() -> None:
    done: dict[tuple[int, int], Figures] = {(i, 0): {"finding": f"rule-{i}", "status": "finished"} for i in range(40)}
    assert len(set(of_map.letters_of(Known(done)).values())) == 40


# The command


def test_a_map_is_drawn_told_stored_and_resumed(command, d2ltui_home: Path) -> None:  # type: ignore[no-untyped-def]
    status, out, err = command("map", *AXES, *OPTIONS, "--seeds", "2", "--json")
    assert status == 0
    found = json.loads(out.splitlines()[-1])
    assert (found["kind"], found["map"], found["status"], found["show"]) == ("map", "map-1", "finished", "val_accuracy")
    assert found["x"]["values"] == [cell["lr"] for cell in found["cells"][:3]]
    assert [cell["init_std"] for cell in found["cells"]] == [0.1] * 3 + [1.0] * 3
    assert found["networks"] == 12
    for cell in found["cells"]:
        wild = cell["lr"] > 1
        assert (cell["status"], cell["diverged"]) == (("diverged", 2) if wild else ("finished", 0))
        assert (cell["finding"] == "divergence") == wild
        assert (cell["val_accuracy"] is None) == (cell["dead"] is None) == wild
    rows = [line for line in out.splitlines() if "┤" in line]
    assert len(rows) == 2
    assert all(row.endswith("××××") for row in rows)
    assert "d2ltui map --resume map-1 shows it" in err
    assert "d2ltui train --model mlp --dataset circles" in out

    # A process that was killed leaves whole lines, and a part of one.
    path = d2ltui_home / "maps" / "map-1"
    lines = (path / maps.CELLS).read_bytes().splitlines(keepends=True)
    (path / maps.CELLS).write_bytes(b"".join(lines[:4]) + lines[4][:20])
    status, out, _ = command("map", "--resume", "latest", "--show", "finding", "--json")
    assert status == 0
    again = json.loads(out.splitlines()[-1])
    assert again["networks"] == 4  # of two cells
    for cell, before in zip(again["cells"], found["cells"], strict=True):
        for name, value in before.items():
            assert cell[name] == (pytest.approx(value, rel=1e-4) if isinstance(value, float) else value)
    assert "aa divergence" in out

    _, out, _ = command("export", "map-1", "--csv")
    table = list(csv.DictReader(out.splitlines()))
    assert [float(row["lr"]) for row in table] == [cell["lr"] for cell in found["cells"]]
    _, out, _ = command("export", "map-1", "--json")
    assert json.loads(out)["cells"] == again["cells"]
    assert command("export", "map-1", "--svg")[1].startswith("<svg")


@pytest.mark.parametrize(("size", "lines"), [((80, 24), 8), ((20, 24), 1), ((80, 5), 1)])
def test_a_map_that_does_not_fit_into_the_terminal_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], size: tuple[int, int], lines: int
) -> None:
    config = resolve({**CIRCLES, "init": "normal"})
    spec = MapSpec(config, Axis("lr", (0.01, 0.1), "log"), Axis("init_std", (0.1, 1.0), "log"), 1)
    monkeypatch.setattr(mapping.terminal, "size", lambda stream: size)
    made = mapping._Map(spec, "val_accuracy", {}, None)
    made._draw(MapTraining({}, Control(), 1))
    shown = capsys.readouterr().out
    assert shown.count("\n") == lines
    assert "0 of 4 cells, 0 network-steps a second" in shown
    assert ("val_accuracy, mlp" in shown) == (lines > 1)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (maps.CELLS, "5\n"),
        (maps.CELLS, '{"cell": [0, 0]}\n'),
        (maps.CELLS, '{"cell": [0, 0], "status": "lost", "finding": null}\n'),
        (maps.CELLS, '{"cell": [0, 0], "status": "finished", "finding": null, "val_accuracy": "high"}\n'),
        (maps.CELLS, '{"cell": [0, 0], "status": "finished", "finding": null, "curves": {"epoch": [1]}}\n'),
        (maps.CELLS, "[" * 100_000 + "\n"),
        (maps.DESCRIPTION, ("0.01", '"much"')),
        (maps.DESCRIPTION, ('"batch_size": 200', '"batch_size": 0')),
        (maps.DESCRIPTION, ('"seeds": 1', '"seeds": 0')),
        (maps.DESCRIPTION, "[" * 100_000),
        (maps.DESCRIPTION, ('"field": "lr"', '"field": "left"')),
    ],
)
def test_a_damaged_map_is_told_in_a_sentence(command, d2ltui_home: Path, file: str, text: Any) -> None:  # type: ignore[no-untyped-def]
    config = resolve({**CIRCLES, "init": "normal"})
    spec = MapSpec(config, Axis("lr", (0.01, 0.1), "log"), Axis("init_std", (0.1, 1.0), "log"), 1)
    stored = maps.StoredMap.create(spec)
    stored.close()
    path = stored.path / file
    path.write_text(text if isinstance(text, str) else path.read_text().replace(*text))
    for arguments in (("map", "--resume", "map-1"), ("export", "map-1", "--csv")):
        status, out, err = command(*arguments)
        assert (status, out) == (1, "")
        assert "map: map-1 is damaged" in err
        assert "Traceback" not in err


def test_a_map_of_a_model_that_another_version_has_is_told_in_a_sentence(command) -> None:  # type: ignore[no-untyped-def]
    axes = Axis("lr", (0.01, 0.1), "log"), Axis("weight_decay", (0.0, 0.1), "linear")
    stored = maps.StoredMap.create(MapSpec(resolve({"model": "softmax", "dataset": "moons"}), *axes, 1))
    stored.close()
    path = stored.path / maps.DESCRIPTION
    path.write_text(path.read_text().replace('"softmax"', '"gpt"'))
    status, _, err = command("map", "--resume", "map-1")
    assert (status, "Traceback" in err) == (1, False)
    assert "map: map-1 is from a newer d2ltui, or needs a plug-in (model 'gpt' is not known here)" in err


def test_bad_arguments_are_told_in_a_sentence(command) -> None:  # type: ignore[no-untyped-def]
    for arguments, said in (
        (("--x", "lr=0.1:1:3"), "y: it is missing"),
        (("--x", "lr=1:0.1:3", "--y", "dropout=0:0.5:3"), "the wrong way round"),
        ((*AXES, "--lr", "3"), "lr: --lr is not allowed beside an axis of it"),
        (("--x", "dropout=0:0.5:3", "--y", "lr=1:2:3", "--model", "softmax"), "model softmax has no dropout"),
        ((*AXES, "--show", "loss"), "show: 'loss' is not allowed"),
        ((*AXES, "--show", "val_r2"), "show: 'val_r2' is not allowed with model mlp"),
        (("--resume", "map-1"), "map: 'map-1' is not known; allowed: nothing, there is no map yet"),
        (("--resume", "map-1", "--lr", "1"), "resume: --lr is not allowed with it"),
        (("--x", "lr=1e-4:10:1000", "--y", "init_std=1e-3:3:1000"), "1,000,000 networks of 4,500 steps take about"),
    ):
        status, _, err = command("map", *arguments)
        assert status == 2, arguments
        assert said in err, arguments
        assert err.count("\n") <= 2


def test_regression_has_a_map_too(command) -> None:  # type: ignore[no-untyped-def]
    axes = ("--x", "lr=1e-3:0.1:2", "--y", "optimizer=sgd,adam")
    status, out, _ = command("map", "--model", "linear", "--epochs", "1", *axes, "--no-store", "--quiet", "--json")
    assert status == 0
    found = json.loads(out)
    assert found["map"] is None
    assert [cell["optimizer"] for cell in found["cells"]] == ["sgd", "sgd", "adam", "adam"]
    assert all(isinstance(cell["val_r2"], float) for cell in found["cells"])


def test_histograms_of_a_cell_are_those_of_its_own_network() -> None:
    cells = grid(3, 1, hidden="8,6")
    done: dict[Cell, Figures] = {}
    assert MapTraining(cells, Control(), 1).train(done.update)
    histograms = done[1, 0]["histograms"]
    assert len(histograms) == 2
    _, tape = run(cells[1, 0][0])
    last = [one for one in tape.events if isinstance(one, LayersProbed)][-1]
    for (title, low, high, counts), layer in zip(histograms, last.layers[1::2], strict=False):
        assert title == layer.title
        assert (low, high) == pytest.approx((layer.minimum, layer.maximum), rel=1e-4)
        assert sum(counts) == sum(layer.counts)
        assert counts[0] / sum(counts) >= layer.zeros - 1e-6  # a ReLU's zeros are in the first bin

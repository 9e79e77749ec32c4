"""`M`: two axes, a map that is trained and looked at, a cell of it in the form."""

from __future__ import annotations

from typing import Any

import pytest
from person import Opener, Person
from small_maps import MLP, made_up, stored_map

from d2ltui.spec.axes import base_config, parse_axis
from d2ltui.spec.maps import SAID, MapSpec
from d2ltui.store.maps import StoredMap, read
from d2ltui.tui.screens.map import MapScreen
from d2ltui.tui.services.map_runner import GrowingMap, MapRunner
from tests.failing_device import FAILED, Device
from tests.selection import long_after

X, Y = "lr=0.01:1e30:3", "init_std=0.1:1:2"


def screen(person: Person) -> MapScreen:
    found = person.app.screen
    assert isinstance(found, MapScreen)
    return found


def type_axes(person: Person, x: str, y: str) -> None:
    for name, text in (("x", x), ("y", y)):
        screen(person)._axes.fields[name].set_text(text)


def problem(person: Person, name: str) -> str:
    said = screen(person)._axes.fields[name]._problem
    return str(said.content) if said is not None else ""


async def test_a_map_whose_device_fails_says_why_and_how_it_goes_on(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sentence that is read to its end; the full error is on `t`; ctrl+r trains what is left."""
    async with open_app(MLP, size=(80, 24)) as person:
        await person.press("M")
        type_axes(person, "lr=0.01:1:3", Y)
        with monkeypatch.context() as broken:
            Device(broken, at=2)
            await person.press("ctrl+r")
            growing = person.app.maps.present
            assert growing is not None
            await person.until(lambda: bool(growing.problem) and not person.app.maps.busy, "the failure")
        await person.until(lambda: " ".join(FAILED.split()) in _joined(person), "why")
        done = len(growing.known.cells)
        assert 0 < done < 6
        assert f"{done} of 6 cells" in person.text()
        assert not person.app.maps.busy
        await person.press("t")
        await person.until(lambda: "Traceback" in person.text(), "the full error")
        await person.press("escape", "ctrl+r")
        await person.until(lambda: "finished, 6 of 6 cells" in person.text(), "the end")
        assert person.app.maps.present is growing
        assert FAILED not in _joined(person)


def _joined(person: Person) -> str:
    """The screen's words in one line, without frames."""
    return " ".join("".join(" " if c in "│╭╮╰╯─" else c for c in person.text()).split())


async def test_a_map_is_trained_looked_at_enlarged_and_taken(open_app: Opener) -> None:
    async with open_app(MLP, size=(120, 40), store=False) as person:
        await person.press("M")
        assert "trains a network for each cell" in person.text()
        assert "lr=1e-4:10:16" in person.text()
        assert "init_std=1e-3:3:12" in person.text()

        # Another field by a key; what is wrong is said beside it, and nothing is trained.
        await person.press("tab", "right")
        assert "init_std=1e-3:3:12" not in person.text()
        await person.press("left")
        assert "init_std=1e-3:3:12" in person.text()
        for x, y, wrong, said in (
            ("lr=1:0.1:3", Y, "x", "the wrong way round"),
            ("lr=1:1:3", Y, "x", "it has one value"),
            ("weight_decay=0:1:3", Y, "x", "a logarithmic axis has no 0"),
            ("lr=1:inf:3", Y, "x", "inf is not finite"),
            (X, "kernel=1:2:3", "y", "there is no such axis"),
            (X, "lr=1:2:3", "y", "is not allowed on both axes"),
        ):
            type_axes(person, x, y)
            await person.press("ctrl+r")
            assert said in problem(person, wrong), (x, y)
            assert person.app.maps.present is None

        type_axes(person, X, Y)
        # After that letters are keys again, also where it was typed just now.
        await person.press("tab", "enter", "x", "ctrl+r")
        await person.press("q")
        await person.until(lambda: person.app.screen is person.main, "the main screen")
        await person.press("M")

        type_axes(person, X, Y)
        seeds = screen(person)._axes.seeds
        for text in ("0", "-1", "two", "1001"):
            seeds.set_text(text)
            await person.press("ctrl+r")
            assert f"seeds: '{text}' is not allowed; allowed: a whole number from 1 to 1000" in str(
                seeds._problem.content
            )
        seeds.set_text("2")
        await person.press("ctrl+r")
        growing = person.app.maps.present
        assert growing is not None
        assert growing.spec.seeds == 2
        await person.until(lambda: growing.doing == "loading the data" or growing.complete, "PyTorch")
        await person.until(lambda: growing.steps > 0, "the data")
        await person.until(lambda: "finished, 6 of 6 cells" in person.text(), "the end")
        assert (growing.problem, growing.trouble, growing.complete) == ("", "", True)
        assert "val_accuracy: mlp (concise) on circles, 2 epochs" in person.text()
        assert "× diverged" in person.text()

        # The cursor: the cell's figures and curves, and its finding in words.
        await person.press("left", "left", "left", "down", "down")
        assert person.app.maps.cursor == (0, 0)
        assert "lr             0.01" in person.text()
        assert "── train" in person.text()
        await person.press("right", "right", "up")
        assert person.app.maps.cursor == (2, 1)
        assert "finding        divergence" in person.text()
        await person.press("v", "v", "v", "v", "v", "v")
        assert "finding: mlp" in person.text()
        assert "aa divergence" in person.text()
        await person.press("V", "b")
        assert growing.known.cells[person.app.maps.cursor]["status"] == "finished"

        # A part of it, and back.
        await person.press("z")
        part = person.app.maps.present
        assert part is not None
        assert part is not growing
        await person.until(lambda: not person.app.maps.busy, "the part")
        assert part.complete
        await person.press("Z")
        assert person.app.maps.present is growing
        assert "lr=0.01:1e30:3" in person.text()

        wanted = growing.spec.run_of(person.app.maps.cursor)
        await person.press("enter")
        await person.until(lambda: person.app.screen is person.main, "the main screen")
        assert person.setup.state.resolve() == wanted
        await person.press("M")
        assert "finished, 6 of 6 cells" in person.text()
        await person.press("escape")
        assert person.app.screen is person.main


class Unmoved(MapRunner):
    """Maps whose cells the test makes up itself."""

    trains = False

    @property
    def busy(self) -> bool:
        return self.trains

    def _begin(self, growing: GrowingMap) -> None:
        self.trains, growing.doing = True, ""

    def stop(self) -> None:
        self.trains = False
        if self.present is not None:
            self.present.problem = "stopped by you"


@pytest.mark.parametrize(("size", "ascii"), long_after(1, [((80, 24), False), ((80, 24), True), ((200, 60), False)]))
async def test_it_is_drawn_as_it_grows_at_every_size_and_nothing_else_trains_meanwhile(
    open_app: Opener, size: tuple[int, int], ascii: bool
) -> None:
    async with open_app(MLP, size=size, store=False, ascii=ascii) as person:
        maps = person.app.maps = Unmoved()
        await person.press("M", "ctrl+r")
        growing = maps.present
        assert growing is not None
        assert maps.busy
        full = "#" if ascii else "█"
        lines = person.text().splitlines()
        assert sum(full in line for line in lines) == 1  # the key
        growing.known.add(made_up(growing.spec, (0, 0), val_accuracy=1.0))
        growing.known.add(made_up(growing.spec, (4, 0), (0, 4), (4, 4), val_accuracy=0.0))
        await person.until(lambda: sum(full in line for line in person.text().splitlines()) >= 5, "four rows")
        dead = {"finding": "dead-relu", SAID: "100 % of the units of layer 2 (ReLU) are dead.", "val_accuracy": 0.5}
        growing.known.add(made_up(growing.spec, (8, 6), **dead))
        await person.until(lambda: "dead-relu" in person.text(), "the finding of the cell under the cursor")
        assert "(ReLU)" in person.text()
        shown = person.text()
        assert all(len(line) <= size[0] for line in shown.splitlines())
        assert shown.isascii() or not ascii
        await person.press("z")
        assert "this map is being trained: stop it first (x)" in person.text()

        footer = lines[-1]
        assert all(f" {said} " in footer for said in ("x stop", "z zoom", "b best", "c curves", "? help"))
        await person.press("escape")
        assert "a map is being trained, 5 of 192 cells: M shows it" in person.status
        await person.press("ctrl+r")
        assert "a map is being trained: stop it first (M, then x)" in person.status
        assert not person.app.training
        await person.press("q")
        assert "A map is being trained. Quit and stop it?" in person.text()
        await person.press("n", "M", "x")
        await person.until(lambda: "stopped, 5 of 192 cells" in person.text(), "the stop")
        await person.press("ctrl+r")  # the same axes: it continues
        assert maps.present is growing
        assert maps.busy
        maps.stop()


async def test_a_click_moves_the_cursor_and_a_large_grid_is_asked_for_first(open_app: Opener) -> None:
    async with open_app(MLP, size=(120, 40), store=False) as person:
        maps = person.app.maps = Unmoved()
        await person.press("M")
        type_axes(person, "lr=1e-4:10:1000", "init_std=1e-3:3:1000")
        await person.press("ctrl+r")
        assert "1,000,000 networks of 4 steps take about" in person.text().replace("\n", " ")
        await person.press("n")
        assert maps.present is None
        type_axes(person, "lr=1e-4:10:16", "init_std=1e-3:3:12")
        await person.press("ctrl+r")
        growing = maps.present
        assert growing is not None
        growing.known.add(made_up(growing.spec, val_accuracy=None, val_loss=None, train_loss=None, status="diverged"))
        await person.press("b")
        assert "no cell has come to a number" in person.text()
        await person.until(lambda: "×× diverged" in person.text(), "what all cells have come to")
        view = screen(person)._view
        await person.pilot.click(view, offset=(9, 1))
        await person.settle()
        assert maps.cursor == (0, 11)
        assert "init_std       3" in person.text()
        maps.stop()


async def test_a_stored_map_is_opened_again_and_continued(open_app: Opener, monkeypatch: Any, tmp_path: Any) -> None:
    monkeypatch.setenv("D2LTUI_HOME", str(tmp_path))
    x, y = parse_axis("x", "lr=0.01:1:3"), parse_axis("y", "init_std=0.1:1:2")
    spec = MapSpec(base_config(MLP, x, y), x, y, 1, tuple(MLP))
    stored = StoredMap.create(spec)
    stored.add(made_up(spec, (0, 0), (2, 0), val_accuracy=0.625))
    stored.close()
    async with open_app(MLP, size=(80, 24)) as person:
        await person.press("M", "tab", "tab", "o")
        await person.until(lambda: "mlp on circles: lr=0.01:1:3" in person.text(), "the list of maps")
        assert "2 of 6 cells" in person.text()
        await person.press("enter")
        await person.until(lambda: "map-1: stopped, 2 of 6 cells" in person.text(), "the stored map")
        assert "lr=0.01:1:3" in person.text()
        await person.press("b")
        assert "val_accuracy   0.625" in person.text()
        await person.press("ctrl+r")
        await person.until(lambda: "map-1: finished, 6 of 6 cells" in person.text(), "the rest of its cells")
    again, cells = read(stored.path)
    assert again == spec
    assert len(cells) == 6
    assert cells[2, 0]["val_accuracy"] == 0.625


def test_what_goes_wrong_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A device that is not there; a store that cannot be written does not keep a map from being trained."""
    x, y = parse_axis("x", "lr=0.01,0.1"), parse_axis("y", "init_std=0.1,1")
    spec = MapSpec(base_config({**MLP, "device": "cuda:77"}, x, y), x, y, 1)
    growing = GrowingMap(spec, "val_loss", stores=False)
    growing.carry_out()
    assert "cuda:77" in growing.problem
    assert "\n" not in growing.problem
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("D2LTUI_HOME", str(file))
    spec = MapSpec(base_config({**MLP, "epochs": 1}, x, y), x, y, 1)
    growing = GrowingMap(spec, "val_loss", stores=True)
    growing.carry_out()
    assert growing.complete
    assert growing.problem == ""
    assert "cannot be stored" in growing.trouble


async def test_a_cell_is_trained_by_itself_with_all_its_digits(open_app: Opener) -> None:
    stored, spec = stored_map()
    stored.close()
    async with open_app(MLP, size=(120, 40), watch=stored.path) as person:
        await person.until(lambda: "map-1: stopped, 1 of 6 cells" in person.text(), "the map")
        person.app.maps.cursor = (1, 1)
        await person.press("T")
        await person.until(lambda: person.app.live is not None and person.app.live.ended, "the run")
        assert person.app.live.config == spec.run_of((1, 1))
        assert not any("ctrl+r trains it" in notice.message for notice in person.app._notifications)

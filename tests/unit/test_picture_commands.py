"""Pictures in the shell: of a stored run as text and SVG, and of an activation function."""

from __future__ import annotations

import os
import threading
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from d2ltui.data import DataError
from d2ltui.engine.control import Control
from d2ltui.pictures import make
from d2ltui.runner.headless import run
from d2ltui.runner.recording import RunRecording
from d2ltui.runner.stored_pictures import StoredPictures, load_present
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.catalogue import has_use
from d2ltui.spec.config import resolve
from d2ltui.spec.pictures import PictureRequest, Regions
from d2ltui.store import home
from tests import processes
from tests.commands import Command


@pytest.fixture
def path() -> Path:
    config = resolve({"dataset": "moons", "epochs": 3, "device": "cpu", "hidden": "4"})
    control = Control()
    recording = RunRecording.new(config, control)
    run(config, control, [recording.live], recording)
    assert recording.store.path is not None
    return recording.store.path


def test_each_picture_of_a_run_as_text_and_as_svg(path: Path, tmp_path: Path, command: Command) -> None:
    for kind in ("regions", "units", "confusion", "softmax", "activation"):
        status, out, err = command("export", path.name, "--picture", kind)
        assert (status, err) == (0, "")
        assert out.startswith(f"{path.name}: ")
        assert "after step 75\n" in out
        assert "\x1b" not in out
        target = tmp_path / f"{kind}.svg"
        status, out, err = command("export", path.name, "--picture", kind, "--svg", "-o", str(target))
        assert (status, out, err) == (0, "", "")
        root = ElementTree.fromstring(target.read_text("utf-8"))
        assert root.tag.endswith("svg")
        assert len(root.findall(".//{*}rect")) + len(root.findall(".//{*}text")) > 10


def test_a_picture_has_the_name_that_stands_on_its_frame_too(path: Path, command: Command) -> None:
    by_title = command("export", path.name, "--picture", "decision regions")
    assert by_title == command("export", path.name, "--picture", "regions")
    assert by_title[0] == 0


def test_a_network_that_fails_is_told_in_a_sentence(
    path: Path, d2ltui_home: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("mat1 and mat2 do not fit\nat all")

    monkeypatch.setattr(make, "make", fails)
    status, out, err = command("export", path.name, "--picture", "regions")
    assert (status, out) == (1, "")
    assert err.startswith("d2ltui: picture: it cannot be made (RuntimeError: mat1 and mat2 do not fit); the traceback")
    (log,) = d2ltui_home.glob("failed-*.log")
    assert "in fails" in log.read_text()


def test_what_there_is_no_picture_of_is_told_in_a_sentence(path: Path, command: Command) -> None:
    status, out, err = command("export", path.name, "--picture", "fit")
    assert (status, out) == (2, "")
    assert f"picture: 'fit' is not allowed; allowed for {path.name}: regions, units" in err
    status, _, err = command("export", path.name, "--picture", "regions", "--csv")
    assert status == 2
    assert "picture: --csv is not allowed beside it" in err
    for name in (home.CHECKPOINT, home.PREVIOUS):
        (path / name).unlink(missing_ok=True)
    status, out, err = command("export", path.name, "--picture", "regions")
    assert (status, out) == (1, "")
    assert err.strip().endswith("picture: it cannot be made (this run has no checkpoint)")


def test_a_stored_run_has_a_desk_that_reads_its_newest_checkpoint(path: Path) -> None:
    stored = StoredPictures(path, resolve({"dataset": "moons", "epochs": 3, "device": "cpu", "hidden": "4"}))
    stored.desk.ask(PictureRequest("regions", 12, 8))
    stored.desk.ask(PictureRequest("regions", 10, 8))
    assert_made(stored)
    made = stored.desk.made
    assert made is not None
    assert made.step == 75
    assert isinstance(made.picture, Regions)
    assert made.picture.classes.shape == (8, 10)
    stored.refresh()  # nothing has been written since
    assert stored.desk.made is made


def assert_made(stored: StoredPictures) -> None:
    """Wait for the answer to what is asked for."""
    for _ in range(3000):
        made = stored.desk.made
        if made is not None and made.request == stored.desk.request:
            return
        threading.Event().wait(0.01)
    raise AssertionError("never")


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_show_activation(name: str, command: Command) -> None:
    status, out, err = command("show-activation", name)
    assert (status, err) == (0, "")
    first, second, *_ = out.splitlines()
    assert first == f"{ACTIVATIONS[name].title}: {ACTIVATIONS[name].formula}"
    assert "slope" in second
    assert "function" in second
    assert "slope at most" in out


def test_show_activation_as_svg(command: Command) -> None:
    status, out, err = command("show-activation", "tanh", "--svg")
    assert (status, err) == (0, "")
    root = ElementTree.fromstring(out)
    assert root.findtext("{*}title") == f"{ACTIVATIONS['tanh'].title}: {ACTIVATIONS['tanh'].formula}"


def test_an_svg_of_an_activation_goes_to_a_file_as_that_of_a_run_does(tmp_path: Path, command: Command) -> None:
    """And help says of each command what its --svg takes, and where the picture goes."""
    printed = command("show-activation", "relu", "--svg")[1]
    file = str(tmp_path / "relu.svg")
    asked = ("show-activation", "relu", "--svg", "-o", file)
    assert command(*asked) == (0, "", f"written to {file}\n")
    assert Path(file).read_text(encoding="utf-8") == printed
    status, out, err = command(*asked)
    assert (status, out) == (2, "")
    assert "it is there already, and nothing is overwritten" in err
    status, out, err = command("show-activation", "relu", "-o", str(tmp_path / "other"))
    assert (status, out) == (2, "")
    assert "output: it is not allowed here; allowed: beside --svg" in err
    for name, says in (
        ("export", "--svg The curves as a picture (SVG), to standard output, or where --output says."),
        ("show-activation", "--svg As a picture (SVG), to standard output, or where --output says."),
        ("lessons", "--svg FILE Write its figure to FILE, as a picture (SVG)."),
    ):
        assert says in " ".join(command(name, "--help")[1].split())


def test_an_svg_has_its_characters_whatever_the_locale(tmp_path: Path) -> None:
    # What C makes of standard output, said in a way that needs no process that imports PyTorch anew.
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = processes.run(["-m", "d2ltui", "show-activation", "gelu", "--svg"], 60, env=environment, cwd=tmp_path)
    title = ElementTree.fromstring(done.stdout).findtext("{*}title")
    assert title == f"{ACTIVATIONS['gelu'].title}: {ACTIVATIONS['gelu'].formula}"
    assert not title.isascii()


def test_tables_leave_no_lines_blank_but_the_one_below_them(path: Path, command: Command) -> None:
    for kind in ("softmax", "confusion"):
        lines = command("export", path.name, "--picture", kind)[1].splitlines()
        assert [line for line in lines[:-2] if not line] == []
        assert lines[-2] == ""
        assert len(lines) == 6, "title, head, two classes, and what it says"


def test_an_activation_that_there_is_not(command: Command) -> None:
    status, out, err = command("show-activation", "sigmiod")
    assert (status, out) == (2, "")
    assert "activation: 'sigmiod' is not allowed (did you mean sigmoid?); allowed: identity, sigmoid" in err
    assert len(err.strip().splitlines()) == 1


def test_a_data_set_that_is_not_there_is_not_downloaded_to_be_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("d2ltui.data.download._open", lambda url, cancelled: asked.append(url))
    config = resolve({"dataset": "fashion-mnist", "data_dir": str(tmp_path)})
    with pytest.raises(DataError, match="fashion-mnist would have to be downloaded"):
        load_present(config)
    assert not asked


def test_show_leaves_out_what_has_no_effect(path: Path, command: Command) -> None:
    told = command("show", path.name)[1].splitlines()[2]
    assert "optimizer sgd  lr 0.3" in told, "SGD has no momentum"
    assert "init default  seed" in told, "nor has PyTorch's own initialisation a standard deviation that is chosen"
    assert "noise 0.15" in told
    assert has_use("momentum", {"optimizer": "of another package"}), "which may have one"

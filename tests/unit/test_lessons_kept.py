"""The last verdict and figure of each lesson, kept over sessions; and what two processes do to each other."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from d2ltui.charts.canvas import Look
from d2ltui.charts.picture import draw_picture
from d2ltui.lessons import Lesson, kept
from d2ltui.lessons.measured import Figure, Measured, Verdict
from d2ltui.lessons.progress import FILE, note_seen, read
from d2ltui.spec.diagrams import Bars, Batches, Curve, Curves, Descent, Panel, Panels, Raster
from d2ltui.spec.diagrams import Path as Steps
from d2ltui.spec.language import using
from d2ltui.spec.pictures import Regions, Surface
from d2ltui.store import StoreError, listing
from d2ltui.store.filelock import Presence, locked
from d2ltui.store.listing import RunInfo
from d2ltui.tui.services.lesson_store import LessonsStored

FOUND = Verdict("tiny", "It is.", True, (Figure("a share", 0.5, 0.1, plain="A share"),), "So.", 3, 1.5, "It is so.")
PLANE = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
PICTURES = {
    "curves": Curves((Curve("a line", [1.0, 2.0, 3.0], [1.0, math.inf, math.nan], 1, "a"),), (1.0, 3.0), "x", log=True),
    "bars": Bars(("one", "two", "three"), (1.0, math.nan, math.inf), (0, 1, 2)),
    "batches": Batches(("epoch 1",), (((3, 0), (1, 2)),)),
    "raster": Raster(PLANE, ("no", "yes"), ("first", "last")),
    "descent": Descent(PLANE, (0.0, 1.0), (0.0, 2.0), ("w", "b"), (Steps("path", [0.1, 0.2], [0.3, 1.0]),), (0.5, 1.0)),
    "regions": Regions(
        PLANE.astype(np.uint8), PLANE, PLANE[:, :2], np.array([0, 1, 0]), (0.0, 1.0), (0.0, 1.0), ("x", "y"), ("a", "b")
    ),
}


SURFACE = Surface(PLANE, np.zeros((2, 2), np.float32), np.zeros(2, np.float32), (0.0, 1.0), (0.0, 1.0), ("a", "b"))


@pytest.mark.parametrize("name", PICTURES)
def test_what_is_kept_is_shown_as_it_was(name: str) -> None:
    picture = Panels((Panel("first", PICTURES[name]), Panel("second", PICTURES[name])), 2, "a note")
    kept.keep(FOUND, picture, "drawn: seed 0")
    found = kept.read("tiny")
    assert found is not None
    assert (found.verdict, found.drawn) == (FOUND, "drawn: seed 0")
    assert found.picture is not None
    for width, height, look in ((80, 20, Look()), (40, 8, Look(colours=False, ascii=True))):
        assert draw_picture(found.picture, width, height, look) == draw_picture(picture, width, height, look)


def test_a_lesson_that_draws_nothing_and_one_that_draws_too_much() -> None:
    assert kept.read("tiny") is None
    kept.keep(FOUND, None, "")
    assert kept.read("tiny") is not None
    noise = np.random.default_rng(0).random((700, 700)).astype(np.float32)
    kept.keep(FOUND, Raster(noise, ("no", "yes")), "")
    found = kept.read("tiny")
    assert found is not None
    assert found.picture is None


def damaged(how: str, text: str) -> str:
    value = json.loads(text)
    match how:
        case "cut":
            return text[: len(text) // 2]
        case "no verdict":
            del value["verdict"]
        case "a word":
            value["when"] = "yesterday"
        case "a time that is none":
            value["when"] = 1e300
        case "another kind":
            value["picture"]["panels"][0]["picture"]["kind"] = "Engine"
        case "other bytes":
            value["picture"]["panels"][0]["picture"]["values"]["data"] = "?"
        case "too few bytes":
            value["picture"]["panels"][0]["picture"]["values"]["shape"] = [300, 400]
        case "too many":
            value["picture"]["panels"][0]["picture"]["values"]["shape"] = [10**9, 10**9]
        case "objects":
            value["picture"]["panels"][0]["picture"]["values"]["dtype"] = "|O"
        case "a list":
            value["picture"] = []
    return json.dumps(value)


DAMAGES = "cut,no verdict,a word,a time that is none,another kind,other bytes,too few bytes,too many,objects,a list"


@pytest.mark.parametrize("how", DAMAGES.split(","))
def test_what_is_damaged_is_told_of_and_left_out(how: str) -> None:
    kept.keep(FOUND, Panels((Panel("one", PICTURES["raster"]),)), "")
    path = kept.path_of("tiny")
    path.write_text(damaged(how, path.read_text("utf-8")), "utf-8")
    with pytest.raises(StoreError, match=r"lessons: .*tiny\.json cannot be read \(.*\); it is left out"):
        kept.read("tiny")
    kept.keep(FOUND, None, "")
    assert kept.read("tiny") is not None, "measured again, it is whole"


def test_nothing_that_a_terminal_would_obey_is_shown() -> None:
    kept.keep(FOUND, Panels((Panel("one\x1b[2J", PICTURES["bars"]),)), "\x1b]0;title\x07")
    found = kept.read("tiny")
    assert found is not None
    assert isinstance(found.picture, Panels)
    assert found.drawn.isprintable()
    assert found.picture.panels[0].title.isprintable()


def test_two_processes_that_see_lessons_at_a_time_keep_both(d2ltui_home: Path) -> None:
    code = (
        "import sys; from d2ltui.lessons.progress import note_seen\n"
        "for number in range(20): note_seen(f'{sys.argv[1]}{number}', True)"
    )
    others = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "ab"]
    for number in range(20):
        note_seen(f"c{number}", False)
    assert [other.wait(60) for other in others] == [0, 0]
    assert set(read().lessons) == {f"{name}{number}" for name in "abc" for number in range(20)}
    assert (d2ltui_home / FILE).is_file()


def test_a_lock_is_waited_for_and_not_for_ever(d2ltui_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("d2ltui.store.filelock.PATIENCE", 0.05)
    with locked(d2ltui_home / "lock"), pytest.raises(StoreError, match="in use"), locked(d2ltui_home / "lock"):
        pass
    with locked(d2ltui_home / "lock"):
        pass


def test_who_comes_second_is_not_alone(d2ltui_home: Path) -> None:
    first = Presence(d2ltui_home / "lock")
    second = Presence(d2ltui_home / "lock")
    assert (first.alone, second.alone) == (True, False)
    first.leave()
    third = Presence(d2ltui_home / "lock")
    assert not third.alone
    second.leave()
    third.leave()
    last = Presence(d2ltui_home / "lock")
    assert last.alone
    last.leave()


def test_what_was_told_in_another_language_is_measured_again(d2ltui_home: Path) -> None:
    verdict = Verdict("softmax", "a claim", True, (), "说明", 3, 1.0)
    with using("zh"):
        kept.keep(verdict, None, "")
        assert kept.read("softmax") is not None
    assert kept.read("softmax") is None


def test_what_is_kept_is_there_before_the_runs_are(monkeypatch: pytest.MonkeyPatch) -> None:
    kept.keep(FOUND, None, "")
    stored = LessonsStored([Lesson("tiny", "It is", "0", "It is.", "", "", lambda bench: Measured([], ""))])

    def later() -> list[RunInfo]:
        assert stored.kept.keys() == {"tiny"}, "no page says that nothing was measured yet"
        raise StoreError("the runs cannot be read")

    monkeypatch.setattr(listing, "runs", later)
    with pytest.raises(StoreError, match="the runs"):
        stored.read(writes=False)


class Own:
    """A figure that a lesson of another package has drawn."""


@pytest.mark.parametrize("picture", [Own(), SURFACE, Panels((Panel("its own", Own()),))])
def test_a_figure_that_cannot_be_read_again_is_left_out_and_the_verdict_kept(picture: Any) -> None:
    kept.keep(FOUND, picture, "")
    found = kept.read("tiny")
    assert found is not None
    assert (found.verdict, found.picture) == (FOUND, None)

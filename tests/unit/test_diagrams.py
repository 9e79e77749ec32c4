"""Diagrams fit their room, in every kind of terminal, and say what they are to say."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest

from d2ltui.charts.canvas import Look
from d2ltui.charts.picture import draw_picture
from d2ltui.charts.spec import COLOURED, Drawing, Style
from d2ltui.lessons.book import dead_relu
from d2ltui.lessons.measured import figure
from d2ltui.spec.diagrams import Bars, Curve, Curves, Descent, Diagram, Panel, Panels, Path, Raster

SIGNS = np.array([[1.0] * 7, [-1.0] * 7, [0.0] * 7], np.float32)
DYING = np.array([[0.0] * 6, [0.0, 0.0, 1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]], np.float32)
BOWL = np.add.outer(np.linspace(-1, 1, 20) ** 2, np.linspace(-1, 1, 30) ** 2).astype(np.float32)
KINDS: dict[str, Diagram] = {
    "curves": Curves(
        (Curve("rising", [0.0, 1.0, 2.0], [1e-6, 1e-3, 1.0], 0, "r"), Curve("", [0.0, 2.0], [1.0, 1.0], faint=True)),
        (0.0, 2.0),
        "layer",
        log=True,
    ),
    "bars": Bars(("A", "B", "C"), (1.0, float("nan"), -0.5), (0, 1, 2)),
    "raster": Raster(DYING, ("alive", "dead"), ("start", "epoch 5")),
    "signs": Raster(SIGNS, ("down", "up"), signs=True),
    "descent": Descent(
        BOWL, (-1.0, 1.0), (-1.0, 1.0), ("w", "b"), (Path("sgd", [-0.9, 0.0], [0.9, 0.1], 1, "s"),), (0, 0)
    ),
}
KINDS["panels"] = Panels(tuple(Panel(name, kind) for name, kind in KINDS.items()), columns=3, note="all of them")


def text(drawing: Drawing) -> str:
    return "\n".join("".join(part for _, part in line) for line in drawing)


@pytest.mark.parametrize("look", [Look(), Look(colours=False), Look(ascii=True), Look(colours=False, ascii=True)])
@pytest.mark.parametrize("size", [(50, 10), (78, 12), (100, 40), (30, 8)])
def test_every_kind_fits_and_is_drawn_with_what_there_is(look: Look, size: tuple[int, int]) -> None:
    width, height = size
    for name, diagram in KINDS.items():
        drawing = draw_picture(diagram, width, height, look)
        assert len(drawing) == height, name
        assert max(sum(len(part) for _, part in line) for line in drawing) <= width, name
        if look.ascii:
            assert text(drawing).isascii(), name
        if not look.colours:
            assert all(style < COLOURED for line in drawing for style, _ in line), name


@pytest.mark.parametrize("look", [Look(), Look(colours=False, ascii=True)])
def test_no_size_is_too_small(look: Look) -> None:
    for name, diagram in KINDS.items():
        for width, height in itertools.product(range(40), range(12)):
            drawing = draw_picture(diagram, width, height, look)
            assert max(sum(len(part) for _, part in line) for line in drawing) <= width, (name, width, height)


def test_a_value_that_is_no_number_is_told_and_has_no_bar() -> None:
    lines = text(draw_picture(KINDS["bars"], 40, 4, Look())).splitlines()
    assert lines[1].split() == ["B", "nan"]
    assert "█" in lines[0]
    assert lines[2].index("█") < lines[0].index("█"), "what is negative lies on the other side of 0"


def test_what_has_died_is_dark_and_stays_it() -> None:
    plain = text(draw_picture(KINDS["raster"], 12, 8, Look(colours=False))).splitlines()
    rows = [line for line in plain if set(line) <= set("·░▒▓█") and line]
    assert rows[0] == "·" * 12
    assert rows[-1] == "··" + "█" * 10
    assert "alive" in plain[-1] or "█" in plain[-1]


def test_signs_are_never_averaged() -> None:
    plain = text(draw_picture(KINDS["signs"], 14, 4, Look(colours=False))).splitlines()
    assert [set(line) for line in plain[:3]] == [{"+"}, {"-"}, {" "}]


def test_a_path_leads_to_its_end_and_the_goal_is_marked() -> None:
    drawn = text(draw_picture(KINDS["descent"], 40, 12, Look(colours=False)))
    assert drawn.count("s") >= 2
    assert "·" in drawn
    assert "✕" in drawn


def test_lines_have_the_colours_of_their_numbers_and_letters_without() -> None:
    coloured = draw_picture(KINDS["curves"], 40, 10, Look())
    assert any(style >= COLOURED for line in coloured for style, _ in line)
    plain = draw_picture(KINDS["curves"], 40, 10, Look(colours=False))
    assert any(style == Style.TRAIN for line in plain for style, _ in line)
    assert "r" in text(plain[:-1])
    assert "rising" in text(plain[-1:])


def test_panels_stand_in_even_rows() -> None:
    four = Panels(tuple(Panel(f"panel {i}", KINDS["raster"]) for i in range(4)), columns=4, narrowest=20)
    titles = [line.count("panel") for line in text(draw_picture(four, 70, 20, Look())).splitlines()]
    assert [count for count in titles if count] == [2, 2]


@pytest.mark.parametrize(
    ("low", "high", "unit", "claimed"),
    [
        (None, None, "", ""),
        (0.5, None, "of the units", "at least 50 %"),
        (0, 0.15, "of the units", "at most 15 %"),
        (0, 0, "", "none"),
        (1, 1, "of the rows", "exactly 100 %"),
        (0.25, 0.25, "", "exactly 0.25"),
        (0.3, 0.65, "", "between 0.3 and 0.65"),
    ],
)
def test_a_claim_is_told_in_words(low: float | None, high: float | None, unit: str, claimed: str) -> None:
    found = figure("what", 0.42, low, high, unit)
    assert found.claimed == claimed
    assert found.told == (f"42 % {unit}" if unit else "0.42")


def test_the_names_of_both_ends_are_told_beyond_a_narrow_picture() -> None:
    eleven = Raster(np.zeros((8, 11), np.float32), ("alive", "dead"), ("start", "epoch 10"))
    for width in (14, 20, 21, 33):
        names = text(draw_picture(eleven, width, 10, Look())).splitlines()[-2]
        assert names.split() == ["start", "epoch", "10"]
        assert len(names) <= width


def test_the_titles_of_dying_units_fit_their_panels() -> None:
    roles = [experiment.role for experiment in dead_relu.LESSON.experiments]
    picture = dead_relu._picture({role: [set(), set(range(230))] for role in roles}, 256)
    titles = [panel.title for panel in picture.panels]
    assert titles == [
        "rate 3: 90 % dead",
        "big sd, 2 layers: 90 % dead",
        "big sd, 1 layer: 90 % dead",
        "healthy: 90 % dead",
    ]
    assert max(map(len, titles)) <= picture.narrowest


@pytest.mark.parametrize("width", range(24, 90, 3))
def test_a_legend_is_broken_between_its_entries_alone(width: int) -> None:
    names = ("no remedy", "a lower rate", "momentum and decay")
    curves = tuple(Curve(name, [0.0, 1.0], [0.0, 1.0], i, mark=name[0]) for i, name in enumerate(names))
    raster = Raster(np.zeros((2, 2), np.float32), ("still alive", "dead for good"))
    panels = Panels((Panel("one", Curves(curves, (0.0, 1.0))), Panel("two", raster)), columns=1)
    drawn = draw_picture(panels, width, 24, Look(colours=False))
    lines = ["".join(text for _, text in line) for line in drawn]
    said = "\n".join(lines[-3:])
    shown = [name for name in (*names, *raster.names) if name in said]
    for name in names[:2]:
        assert name in shown, f"{name} in one line of\n{said}"


def test_a_note_that_does_not_fit_whole_gives_way_to_the_names_of_lines() -> None:
    curves = tuple(Curve(name, [0.0, 1.0], [0.0, 1.0], i, name[0]) for i, name in enumerate(("rising", "falling")))
    panels = Panels((Panel("both", Curves(curves, (0.0, 1.0))),), note="a note that says at length what is drawn here")
    wide, narrow = text(draw_picture(panels, 80, 7, Look())), text(draw_picture(panels, 46, 7, Look()))
    assert "what is drawn here" in wide
    assert "falling" in narrow
    assert "a note" not in narrow


def test_where_there_is_no_room_for_all_panels_the_main_ones_are_drawn() -> None:
    panels = Panels(tuple(Panel(f"panel {i}", KINDS["bars"]) for i in range(6)), columns=3, narrowest=20, main=(1, 5))
    assert all(f"panel {i}" in text(draw_picture(panels, 100, 20, Look())) for i in range(6))
    small = text(draw_picture(panels, 46, 7, Look()))
    assert [i for i in range(6) if f"panel {i}" in small] == [1, 5]
    high = msgspec.structs.replace(panels, lowest=9)
    assert [i for i in range(6) if f"panel {i}" in text(draw_picture(high, 60, 12, Look()))] == [1, 5]
    # Nor is anything said of what the others would show.
    both = Panels((Panel("one", KINDS["bars"]), Panel("two", KINDS["curves"])), narrowest=40, main=(0,))
    assert "rising" in text(draw_picture(both, 100, 20, Look()))
    assert "rising" not in text(draw_picture(both, 46, 7, Look()))


def test_axes_keep_their_names_in_few_rows_and_a_path_may_number_its_steps() -> None:
    cloud = Curves((Curve("", [0.0], [0.0], joined=False),), (-1.0, 1.0), axes=("along", "across"))
    assert "→ along  ↑ across" in text(draw_picture(cloud, 22, 5, Look()))
    walked = Path("after so many epochs", [-0.9, -0.4, 0.1], [0.9, 0.5, 0.1], 1, "012")
    drawn = text(draw_picture(Descent(BOWL, (-1.0, 1.0), (-1.0, 1.0), ("w", "b"), (walked,)), 46, 12, Look()))
    assert "0 1 2 after so many epochs" in drawn
    assert all(step in drawn.rsplit("\n", 2)[0] for step in "012")
    small = text(draw_picture(Descent(BOWL, (-1.0, 1.0), (-1.0, 1.0), ("w", "b"), (walked,)), 12, 6, Look()))
    assert "→ w  ↑ b\n" in small, "names go before numbers"

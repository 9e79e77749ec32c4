"""Run by test_plugin_panes.py in a process of its own, in which the panes of pace_pane_plugin.py are installed."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from person import ORDER, Opener, Person, shown_panes

from d2ltui.tui.widgets.tabs import TabStrip
from tests.selection import long_after

RUN: dict[str, object] = {"model": "mlp", "dataset": "moons", "hidden": "8", "epochs": 3, "lr": 0.25}
# By column, as one reads; under the tabs of a narrow terminal.
ALL = ["loss", "accuracy", "gap", "activations", "gradients", "weights", "picture", "findings", "pace"]
TABS = ["Setup", "Loss", "Accuracy", "Gap", "Activations", "Gradients", "Picture", "Findings", "Pace"]
FIGURES = {
    "pace": r"lr +0\.25\n.*steps +75 at [0-9,]+ a second",
    "weights": r"1 Linear 2→8 +‖w‖ \d",
    "gap": r"●─ gap",
}


def pane_text(person: Person, name: str) -> str:
    """What stands within a pane's frame."""
    region = person.main.query_one(f"#{name}").region
    rows = person.text().splitlines()[region.y : region.bottom]
    return "\n".join(row[region.x : region.right].strip("│ ") for row in rows)


async def test_nobody_waits_for_a_plug_in_that_takes_its_time(open_app: Opener) -> None:
    """The first test here: the plug-in is imported once, and its import ends when there is a file named GATE."""
    async with open_app(RUN) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        await person.press("shift+tab")
        assert (person.focused_pane, person.main.arrangement.order) == ("findings", ORDER)
        Path(os.environ["GATE"]).touch()
        await person.until(lambda: "pace" in person.main.arrangement.order, "the panes of the other package")
        await person.until(lambda: re.search(FIGURES["pace"], pane_text(person, "pace")), "the figures of the run")
        assert person.focused_pane == "findings"


@pytest.mark.parametrize("size", long_after(1, [(80, 24), (120, 40)], whole=True))
async def test_the_panes_show_the_run(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app(RUN, size=size) as person:
        await person.until(lambda: "pace" in person.main.arrangement.order, "the panes of the other package")
        order = person.main.arrangement.order
        assert list(order[3:]) == ALL
        assert [name for name in order if name in ORDER] == list(ORDER), "the others keep their order"
        assert list(person.main.arrangement.tabs) == TABS

        def left_out() -> list[str]:
            return [notice.message for notice in person.app._notifications if "plug-in" in notice.message]

        await person.until(left_out, "what is left out")
        (notice,) = left_out()
        assert notice.startswith("plug-in missing (d2ltui.panes) is left out: AttributeError")
        await person.press("ctrl+r")
        await person.until_word("finished")
        seen = []
        # A wide terminal shows them side by side, but for the picture, which takes the place of two of them on `p`.
        visible = list(order) if size[0] < 100 else [name for name in order if name != "picture"]
        for _ in visible:
            await person.press("tab")
            seen.append(str(person.focused_pane))
            if seen[-1] not in FIGURES:
                continue
            name = seen[-1]
            alone = name if name != "weights" else "gradients weights"
            assert shown_panes_of(person, order) == (alone.split() if size[0] < 100 else visible)
            await person.until(lambda name=name: re.search(FIGURES[name], pane_text(person, name)), f"{name}'s figures")
            usual = person.main.query_one(f"#{name}").region
            await person.press("z")
            assert shown_panes_of(person, order) == [name]
            assert person.main.query_one(f"#{name}").region.width == size[0]
            await person.until(lambda name=name: re.search(FIGURES[name], pane_text(person, name)), "all of it")
            await person.press("z")
            assert person.main.query_one(f"#{name}").region == usual
        assert sorted(seen) == sorted(visible)
        if size[0] >= 100:
            await person.pilot.click("#pace")
            await person.settle()
        else:
            strip = person.main.query_one(TabStrip)
            await person.pilot.click(strip, offset=(1 + strip.render().plain.index("Pace"), 0))
            await person.settle()
            assert "[Pace]" in person.text().splitlines()[0]
        assert person.focused_pane == "pace"


def shown_panes_of(person: Person, order: tuple[str, ...]) -> list[str]:
    """Those that can be seen, built in or not."""
    assert set(shown_panes(person)) <= set(order)
    return [name for name in order if person.main.query_one(f"#{name}").region.area > 0]

"""What to try is always on the screen where the findings are, however little room there is."""

from __future__ import annotations

import msgspec
import pytest
from person import Opener

from d2ltui.charts.spec import Style
from d2ltui.history.live import LiveRun
from d2ltui.spec import events
from d2ltui.spec.config import resolve
from d2ltui.tui.panes.finding_lines import finding_lines, remedy_lines, with_cut
from d2ltui.tui.panes.findings import FindingsPane
from d2ltui.tui.panes.spec import RunView
from tests.selection import long_after

LONG = "The loss jumps, and comes down, and jumps again, as it has done since the very first of all the steps. " * 3
RATE = events.Finding("divergence", "alarm", None, 9, 3.0, LONG, LONG, "Train again with lr 0.1.", {"lr": 0.1})
DEAD = events.Finding("dead-relu", "note", 2, 9, 0.4, LONG, LONG, "Look at the units (u).", {})
FOLLOWS = events.Finding("saturation", "note", 2, 9, 0.4, LONG, "", "", {}, "divergence")


def told(*findings: events.Finding) -> RunView:
    """A run of which this is found."""
    live = LiveRun(resolve({}))
    live(events.FindingsChanged(9, findings))
    return RunView(live=live)


def test_fewer_words_where_there_is_little_room() -> None:
    def said(width: int, most: int, finding: events.Finding = RATE) -> str:
        lines = ["".join(text for _, text in line) for line in remedy_lines(finding, width, most)]
        assert len(lines) <= most
        assert all(len(line) <= width for line in lines)
        return " ".join(" ".join(lines).split())

    assert said(70, 1) == "Try: Train again with lr 0.1. (key f puts it into the form)"
    assert said(50, 1) == "Try: Train again with lr 0.1. (key f)"
    assert said(27, 2) == "Try: Train again with lr 0.1. (key f)"
    assert said(27, 1) == "Try lr 0.1 (key f)"
    assert said(20, 1, DEAD) == "Try: Look at the…"


def test_a_finding_of_an_earlier_step_says_whether_it_holds_now() -> None:
    def said(now: set[str] | None) -> str:
        return " ".join("".join(text for _, text in line).strip() for line in finding_lines([RATE], 0, 90, now=now)[0])

    assert "So it was then; it has passed." in said(set())
    assert "So it was then, and it is now." in said({"divergence"})
    assert "then" not in said(None), "what is found now needs no word of it"


def test_of_a_note_it_is_not_said_that_it_has_passed() -> None:
    """It may be true all the same: what is well, or worse, is told in its place."""
    note = msgspec.structs.replace(RATE, severity="note")
    told = " ".join("".join(text for _, text in line).strip() for line in finding_lines([note], 0, 90, now=set())[0])
    assert note.what in told
    assert "passed" not in told


def test_a_sentence_that_goes_on_below_says_so() -> None:
    lines, starts = finding_lines([RATE, DEAD], 0, 40)

    def last(number: int) -> str:
        shown = with_cut(lines, starts, number, 40)
        assert [line for line in shown if line not in lines] == ([shown[number]] if shown != lines else [])
        return "".join(text for _, text in shown[number])

    assert last(0).endswith("…")
    assert all(len(last(number)) <= 40 for number in range(len(lines)))
    why = next(i for i, line in enumerate(lines) if line[0][0] == Style.AXIS)
    assert not last(why - 1).endswith("…"), "what is wrong is whole"
    assert not last(starts[1] - 1).endswith("…"), "and so is what to try"
    assert not last(len(lines) - 1).endswith("…")
    assert with_cut(lines, starts, len(lines) + 9, 40) == lines


@pytest.mark.parametrize("size", long_after(1, [(80, 24), (100, 30), (160, 45)], whole=True), ids=str)
async def test_a_notice_covers_neither_findings_nor_charts(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app(size=size) as person:
        if size[0] < 100:
            await person.press("w")
        person.app.notify("mlp-digits-1 is on the screen, and in the form", timeout=60)
        screen = person.app.screen
        await person.until(lambda: any(toast.region.area for toast in screen.query("Toast")), "the notice")
        (toast,) = screen.query("Toast")
        for name in ("findings", "loss", "accuracy", "activations"):
            content = person.main.query_one(f"#{name}").content_region
            assert not toast.region.overlaps(content), (name, toast.region, content)
        narrow = size[0] < 100
        assert toast.region.bottom <= size[1] - (1 if narrow else 2), "nor the status line"
        assert not toast.region.overlaps(person.main.query_one("#tabs").region)
        assert toast.region.y > person.main.query_one("#status").region.y or not narrow, "but what is said below it"


async def test_the_remedy_is_seen_whatever_is_scrolled_or_selected(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_app(size=(100, 30)) as person:
        pane = person.main.query_one("#findings", FindingsPane)

        def seen() -> str:
            return " ".join("".join(text for _, text in line).strip() for line in pane._remedy.lines)

        def show(*findings: events.Finding) -> None:
            view = told(*findings)
            monkeypatch.setattr(person.main, "_view", lambda: view)

        show(RATE, FOLLOWS, DEAD)
        await person.until(lambda: pane._remedy.region.height == 2, "room for the remedy")
        assert seen() == "Try: Train again with lr 0.1. (key f)"
        assert "Try:" not in "".join(text for line in pane.view.lines[:9] for _, text in line), "once is enough"
        assert pane._remedy.region.bottom <= pane.region.bottom - 1
        assert pane.view.lines[pane.view.size.height - 1][0][1].endswith("…"), "it goes on below"
        pane.focus()
        await person.press("down")
        assert seen() == "Try: Train again with lr 0.1. (key f)", "the cause's"
        await person.press("down")
        assert seen() == "Try: Look at the units (u)."
        bottom = pane.view.scroll_offset.y + pane.view.size.height - 1
        ends = [i for i, line in enumerate(pane.view.lines) if line[0][1].endswith("…")]
        assert ends in ([bottom], []), "where the lines have been scrolled to"
        long = "Stop earlier, or train with more data, or with weight decay or dropout."
        show(events.Finding("overfitting", "note", None, 1, 0.0, "So.", LONG, long, {}))
        await person.until(lambda: seen() == f"Try: {long}", "all of what to try")
        show(events.Finding("x", "note", None, 1, 0.0, "So.", "Why.", "Do it.", {}))
        await person.until(lambda: not pane._remedy.display, "room for all of it")

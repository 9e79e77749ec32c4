"""A run that something is wrong with is marked wherever it is shown: by a sign, a number and a colour."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from person import SMALL, Opener
from rich.color import Color
from textual.app import App, ComposeResult
from textual.widgets import Static

from d2ltui.charts.spec import Style
from d2ltui.cli.app import cli
from d2ltui.history.live import LiveRun
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import resolve
from d2ltui.spec.findings import Tally
from d2ltui.store import home
from d2ltui.store.session import RunWriter
from d2ltui.tui.panes.finding_lines import finding_lines
from d2ltui.tui.render.locale import to_ascii, to_console
from d2ltui.tui.screens.runs import RunsScreen
from d2ltui.tui.widgets.runs_table import RunsTable
from d2ltui.tui.widgets.status import StatusLine
from d2ltui.tui.widgets.tabs import TabStrip

CONFIG = resolve({**SMALL, "epochs": 1})
ALARM = events.Finding("symmetry", "alarm", None, 3, 0.1, "All units are alike.", "Why.", "Try.", {"init": "xavier"})
WARNING = events.Finding("dead-relu", "warning", 2, 3, 0.5, "Half of them are dead.", "Why.", "", {}, "symmetry")
NOTE = events.Finding("saturation", "note", 2, 3, 0.5, "Some are saturated.", "Why.", "", {})
FIGURES = np.full(3, 0.5, np.float32)


def story(*findings: events.Finding) -> list[events.Event]:
    """A run of three steps, one epoch, that has finished."""
    return [
        events.RunStarted(CONFIG, "cpu", catalogue.layer_plan(CONFIG), 800, 200, 3, "in memory"),
        events.StatusChanged("training"),
        events.StepsTrained(3, FIGURES, FIGURES, 0.5),
        events.EpochEnded(1, 3, 0.5, 0.5, 0.75, 0.75, 0.5),
        events.FindingsChanged(3, findings),
        events.RunEnded("finished", "after 1 epoch", {}),
    ]


def stored(*findings: events.Finding) -> str:
    path = home.create("softmax-moons", lambda path: RunWriter.make(path, CONFIG, None))
    with contextlib.closing(RunWriter(path, CONFIG)) as session:
        for event in story(*findings):
            session.take(event)
        session.write()
    return path.name


class Host(App[None]):
    def compose(self) -> ComposeResult:
        yield TabStrip({"Setup": "Set", "Loss": "Loss", "Findings": "Find"})
        yield StatusLine()


def colours(widget: StatusLine | TabStrip) -> dict[str, Color | None]:
    """Of each word that a widget shows."""
    row = widget.render_line(0)
    return {word: (segment.style.color if segment.style else None) for segment in row for word in segment.text.split()}


@pytest.mark.parametrize(
    ("findings", "mark", "words", "marks"),
    [
        ((ALARM, ALARM, WARNING), "▲", "2 alarms, 1 warning", "▲2 △1"),
        ((ALARM,), "▲", "1 alarm", "▲1"),
        ((WARNING, WARNING), "△", "2 warnings", "△2"),
        ((NOTE,), "✓", "", ""),
        ((), "✓", "", ""),
    ],
)
async def test_a_sick_run_has_not_just_finished(
    findings: tuple[events.Finding, ...], mark: str, words: str, marks: str
) -> None:
    app, live = Host(), LiveRun(CONFIG)
    for event in story(*findings):
        live(event)
    async with app.run_test(size=(80, 24)) as pilot:
        status = app.query_one(StatusLine)
        status.show(live, "cpu 5 %")
        await pilot.pause()
        shown = status.render().plain
        assert shown.startswith(f"{mark} finished")
        assert words in shown
        assert status.word == "finished"  # the word is the run's status, whatever its health
        well = RunsWell.of(app)
        assert (colours(status)["finished"] == well) == (not words)
        await pilot.resize_terminal(26, 24)
        status.show(live, "cpu 5 %")
        assert status.render().plain.split()[:3] == [mark, "finished", *marks.split(), "epoch"][:3]


class RunsWell:
    """What a run that is well looks like, in the present theme."""

    @staticmethod
    def of(app: App[None]) -> Color | None:
        status = app.query_one(StatusLine)
        before = status._line
        status._line = [("well", "bold $text-success")]
        status.refresh()
        color = colours(status)["well"]
        status._line = before
        status.refresh()
        return color


async def test_while_it_trains_the_line_counts_too_and_colours_follow_at_once() -> None:
    app, live = Host(), LiveRun(CONFIG)
    *first, changed, ended = story(ALARM)
    for event in first:
        live(event)
    async with app.run_test(size=(120, 24)) as pilot:
        status = app.query_one(StatusLine)
        status.show(live, "cpu 5 %")
        await pilot.pause()
        assert "alarm" not in status.render().plain
        green = colours(status)["training"]
        live(changed)
        status.show(live, "cpu 5 %")
        await pilot.pause()
        assert status.render().plain.startswith("▶ training  1 alarm  epoch 1/1")
        assert colours(status)["training"] == green != colours(status)["alarm"]
        live(ended)
        status.show(live, "cpu 5 %")
        await pilot.pause()
        # As the screen has it: cells whose text stays and whose colour does not are drawn again, too.
        strip = app.screen._compositor.render_strips()[status.region.y]
        segments = {segment.text.strip(): segment.style for segment in strip if segment.text.strip()}
        (drawn,) = (style.color for text, style in segments.items() if style is not None and "finished" in text)
        assert drawn == colours(status)["finished"] == colours(status)["alarm"] != green


async def test_a_tab_says_how_much_is_found_in_it() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        strip = app.query_one(TabStrip)
        strip.show("Loss")
        strip.mark({"Findings": Tally(2, 1)})
        await pilot.pause()
        assert strip.render().plain == " Setup [Loss] Findings ▲2 △1 "
        assert colours(strip)["▲2"] != colours(strip)["Setup"]
        strip.show("Findings")
        assert strip.render().plain == " Setup  Loss [Findings ▲2 △1]"
        strip.mark({"Findings": Tally(0, 1)})
        await pilot.resize_terminal(24, 24)
        assert strip.render().plain == " Set  Loss [Find △1]"
        strip.show("Loss")
        strip.mark({})
        assert strip.render().plain == " Set [Loss] Find "
        strip.set_titles({title: title for title in ("Setup", "Loss", "Accuracy", "Findings")})
        strip.mark({"Findings": Tally(0, 1)})
        assert strip.render().plain == "‹ Loss 2/4 ›"
        await pilot.resize_terminal(30, 24)
        assert strip.render().plain == "‹ Loss 2/4 › Findings △1"


async def test_a_stored_run_is_marked_on_every_screen(d2ltui_home: Path, open_app: Opener) -> None:
    sick, well = stored(ALARM, WARNING), stored(NOTE)
    listed = CliRunner().invoke(cli, ["runs"]).stdout.splitlines()
    assert [line.split()[0] for line in listed if "1 alarm, 1 warning" in line] == [sick]
    async with open_app(size=(80, 24)) as person:
        await person.press("R")
        screen = person.app.screen
        assert isinstance(screen, RunsScreen)
        table = screen.query_one(RunsTable)
        await person.until(lambda: table.row_count == 2, "both runs")
        cells = {row[1].plain: row[2] for row in map(table.get_row_at, range(2))}
        assert {name: cell.plain for name, cell in cells.items()} == {sick: "finished ▲1 △1", well: "finished"}
        assert [str(span.style) for span in cells[sick].spans] != []
        table.move_cursor(row=[run.name for run in screen._runs].index(sick))
        facts = screen.query_one("#facts", Static)
        await person.until(lambda: "1 alarm, 1 warning: All units are alike." in str(facts.content), "what is wrong")
        await person.press("enter")
        await person.until(lambda: "1 alarm" in person.status, "the run")
        tabs = person.main.query_one(TabStrip)
        await person.until(lambda: "Findings ▲1 △1" in tabs.render().plain, "the tab's mark")
        assert person.status.startswith("▲ finished  1 alarm, 1 warning")
        await person.until(lambda: f"{sick} is on the screen" in person.text(), "the notice")
        assert "Findings ▲1 △1" in person.text(), "the notice stands elsewhere"
        assert " w what " in person.text(), "the footer says where to look"
        loss = person.main.query_one("#loss")
        person.main._open_tab("Loss")
        await person.press("escape", "w")
        assert (person.focused_pane, loss.display) == ("findings", False)
        await person.press("w")
        assert (person.focused_pane, loss.display) == ("loss", True)
        await person.press("escape", "shift+tab")
        assert (person.focused_pane, loss.display) == ("form-pane", False)
        person.app.stored.watch(well)
        await person.until(lambda: "alarm" not in person.status and "✓ finished" in person.status, "the other")
        await person.until(lambda: "▲" not in tabs.render().plain, "no mark")
        await person.until(lambda: " w what " not in person.text(), "nothing to look for")


def test_without_colours_and_without_unicode_each_severity_has_its_own_mark() -> None:
    lines, _ = finding_lines([ALARM, NOTE, events.Finding("x", "warning", None, 3, 0.5, "So.", "Why.", "", {})], 0, 60)
    heads = ["".join(text for _, text in line)[:2] for line in lines if line[0][1][1] != " "]
    assert heads == ["›▲", " ·", " △"]
    for reduced in (to_ascii, to_console):
        assert len({reduced(head[1]) for head in heads}) == 3
    assert to_ascii(Tally(2, 1).marks) == "!2 ^1"
    assert {style for line in lines for style, _ in line} >= {int(Style.WARNING), int(Style.VALIDATION)}

"""What the screens say: a run's result stays, numbers are readable, lists agree."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from person import ENDLESS, SMALL, Opener
from test_map_screen import MLP, Unmoved
from test_runs_screen import CONFIG, runs_screen
from textual.widgets import Static

from d2ltui.cli.app import cli as main
from d2ltui.diagnosis.monitor import RULES, Rule
from d2ltui.engine import doctor, doctor_trials
from d2ltui.spec import events
from d2ltui.spec.numbers import number
from d2ltui.store import home, listing
from d2ltui.store.session import RunWriter
from d2ltui.tui.widgets.runs_table import RunsTable
from tests.selection import long_after


async def test_whatever_fails_beside_a_run_is_told_of_each_run(
    open_app: Opener, offer: Callable[[object, object], None]
) -> None:
    def broken(run: object) -> Iterator[events.Finding]:
        raise KeyError("gelu")
        yield

    for name in ("first", "second"):
        offer(RULES, Rule(name, broken))
    async with open_app({"model": "linear", "epochs": 1}, size=(200, 40)) as person:
        for _ in range(2):
            await person.press("ctrl+r")
            await person.until_word("finished")
            assert "the rule first failed" in person.status
            assert "the rule second failed" in person.status


@pytest.mark.parametrize("size", long_after(1, [(80, 24), (120, 40), (40, 12)], whole=True))
async def test_how_a_run_has_ended_stays_beside_what_is_said_next(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app(size=size) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        result = person.live.ended.message if person.live.ended is not None else ""
        assert "loss" in result
        if size[0] <= 80:  # in one row, beside the epoch of the row above
            result = result.split(": ", 1)[1].replace("validation", "val")
        assert result in person.status
        before = person.status
        await person.press("x")
        assert "nothing is training" in person.status
        assert result in person.status
        shown = " ".join(person.text().split())
        assert "nothing is training" in shown
        assert result.split(";")[0] in shown
        assert person.main._forgetting is not None
        person.main._forget_hint()  # after a while
        assert "nothing is training" not in person.status
        assert person.status.split("\n")[1:] == before.split("\n")[1:]


async def test_what_is_said_of_a_run_that_goes_on_goes_away(open_app: Opener) -> None:
    async with open_app(ENDLESS) as person:
        await person.press("s")
        await person.until_word("paused")
        await person.press("t")
        assert "no run has failed" in person.status
        assert person.main._forgetting is not None
        person.main._forget_hint()  # after a while
        assert "no run has failed" not in person.status


async def test_the_model_pane_says_that_its_network_is_the_last_one_allowed(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "hidden": "256,8"}) as person:

        def network() -> str:
            return str(person.setup.query_one("#network", Static).content)

        assert "16,640" in network()  # 64·256 + 256, readable
        await person.type("hidden", "256")
        allowed = network()
        await person.press(",")
        assert network() == f"as before; not allowed now: hidden\n{allowed}"
        await person.press("4")
        assert "not allowed" not in network()
        assert "256→4" in network()


async def test_the_numbers_of_a_form_have_separators(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "fashion-mnist", "hidden": "1024"}) as person:
        shown = person.text()
        for number in ("803,840", "814,090", "60,000 train", "10,000"):
            assert number in shown


def stored(name: str, created: float, lr: float | None = None) -> Path:
    path = home.create(name, lambda path: RunWriter.make(path, CONFIG, None))
    with contextlib.closing(RunWriter(path, CONFIG)) as session:
        session._meta["created"] = created
        if lr is not None:
            session.take(events.LearningRateChanged(3, lr))
        session.take(events.RunEnded("stopped", "stopped by you", {}))
        session.write()
    return path


async def test_lists_of_runs_agree_and_show_a_changed_rate(open_app: Opener) -> None:
    now = time.time()
    names = [
        stored(name, now + offset, lr).name
        for name, offset, lr in (("middle", -50.0, None), ("newest", 0.0, 0.025), ("oldest", -90.0, CONFIG.lr))
    ]
    by_age = [names[1], names[0], names[2]]
    async with open_app() as person:
        screen = await runs_screen(person, 3)
        table = screen.query_one(RunsTable)
        rows = [[cell.plain for cell in table.get_row_at(i)] for i in range(3)]
    assert [row[1] for row in rows] == by_age
    rates = [f"{CONFIG.lr:g}→0.025", f"{CONFIG.lr:g}", f"{CONFIG.lr:g}"]
    assert [row[6] for row in rows] == rates
    printed = CliRunner().invoke(main, ["runs"], catch_exceptions=False).output.splitlines()[1:4]
    assert [line.split()[0] for line in printed] == by_age
    assert rates[0].replace("→", "->") in printed[0] or rates[0] in printed[0]
    as_json = json.loads(CliRunner().invoke(main, ["runs", "--json"], catch_exceptions=False).output)
    assert [run["name"] for run in as_json] == by_age
    assert [run["last_lr"] for run in as_json] == [0.025, None, CONFIG.lr]
    assert [run.name for run in listing.runs()] == by_age[::-1]  # `latest` is its last one


@pytest.mark.parametrize(
    ("sick", "ends", "rule", "said"),
    [
        ({"init": "zeros"}, "finished", "symmetry", "init zeros"),
        ({"lr": 1e30}, "diverged", "learning-rate-high", "lr 1e30"),
    ],
)
async def test_what_a_remedy_has_brought_is_told_at_the_end(
    open_app: Opener, sick: dict[str, Any], ends: str, rule: str, said: str
) -> None:
    usual = {"dataset": "moons", "hidden": "16", "epochs": 8, "batch_size": 32}
    async with open_app({**usual, **sick}, size=(120, 40)) as person:
        await person.press("ctrl+r")
        await person.until_word(ends)
        await person.until(lambda: bool(person.live.findings), "what is wrong")
        assert person.live.findings[0].rule == rule
        change = f"{said} → {next(iter(person.live.findings[0].remedy.values()))}"
        was = "diverged" if ends == "diverged" else number(person.live.epochs[-1].val_metric)
        await person.press("f")
        assert f"{change}; ctrl+r trains it" in person.status
        await person.press("ctrl+r")
        await person.until(
            lambda: "validation accuracy" in person.status and "→" in person.status, "what it has brought"
        )
        after = person.live.epochs[-1].val_metric
        assert f"{change}: validation accuracy {was} → {number(after)}" in person.status
        assert after > 0.8


async def test_while_the_cause_is_looked_for_one_thing_is_said(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    examine, found = doctor.examine, threading.Event()

    def slow(patient: Any, trial: doctor_trials.Trial | None, tell: doctor_trials.Progress) -> doctor.Examination:
        tell("training is over; looking for the cause, trying lr 0.1", 0.5)
        found.wait(30)
        return examine(patient, None, tell)

    monkeypatch.setattr(doctor, "examine", slow)
    async with open_app({**SMALL, "lr": 1e30}, size=(120, 40)) as person:
        await person.press("ctrl+r")
        await person.until(lambda: "looking for the cause" in person.status, "what is done")
        assert person.word == "over"
        assert "▶ training" not in person.status
        await person.until(lambda: bool(person.live.findings), "a symptom, with a remedy of its own")
        await person.press("f")
        assert "the cause is still being looked for" in person.status
        assert "looking for the cause" in person.status, "and how far that is"
        assert "ctrl+r trains it" not in person.status
        found.set()
        await person.until_word("diverged")


async def test_another_run_than_the_remedied_one_is_not_told_as_its_outcome(open_app: Opener) -> None:
    usual = {"dataset": "moons", "hidden": "16", "epochs": 4, "batch_size": 32}
    async with open_app({**usual, "init": "zeros"}, size=(120, 40)) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        await person.until(lambda: bool(person.live.findings), "what is wrong")
        await person.press("f")
        assert "ctrl+r trains it" in person.status
        sick = person.live
        person.main.put_into_form({"init": "zeros", "lr": "0.2"})  # somebody changes their mind
        await person.press("ctrl+r")
        await person.until(lambda: person.live is not sick and person.word == "finished", "another end")
        await person.settle()
        assert "→" not in person.status.splitlines()[-1]
        assert "validation accuracy" not in person.status


@pytest.mark.parametrize("size", [(80, 24), (200, 40)])
async def test_a_map_under_way_is_told_beside_what_is_said(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app(MLP, size=size, store=False) as person:
        person.app.maps = Unmoved()
        await person.press("M", "ctrl+r")
        await person.press("escape")
        await person.until(lambda: "of 192 cells: M shows it" in person.status, "how far the map is")
        await person.press("t")
        assert "no run has failed" in person.status
        assert "of 192 cells: M shows it" in person.status
        assert "of 192 cells: M shows it" in person.text(), "and not below the last row"
        assert person.main._forgetting is not None
        person.main._forget_hint()  # after a while
        assert "no run has failed" not in person.status
        assert "of 192 cells: M shows it" in person.status
        await person.press("ctrl+r")
        assert "stop it first (M, then x)" in person.status
        assert person.status.count("a map is being trained") == 1

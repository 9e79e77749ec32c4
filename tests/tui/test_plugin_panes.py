"""Panes of other packages: shown like any other, and no harm to anything where they fail."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from person import ENDLESS, ORDER, SMALL, Opener, Person
from textual import events

from d2ltui.charts.spec import Style
from d2ltui.tui.panes import PANES, ChartPane, LinesPane, PaneSpec, RunPane, RunView
from tests import processes
from tests.selection import long_after

TESTS = Path(__file__).parents[1]
SLOW = """
import os, time
while not os.path.exists(os.environ["GATE"]):
    time.sleep(0.01)
from pace_pane_plugin import PANES
"""


@pytest.mark.parametrize(("checks", "passed"), long_after(1, [("not long", 2), ("long or not long", 3)]))
def test_the_panes_of_another_package_are_shown_like_any_other(tmp_path: Path, checks: str, passed: int) -> None:
    info = tmp_path / "pace_pane_plugin-1.0.dist-info"
    info.mkdir()
    (tmp_path / "pace_pane_plugin.py").write_text((TESTS / "plugins" / "pace_pane_plugin.py").read_text())
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pace_pane_plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[d2ltui.panes]\nmissing = pace_pane_plugin:NONE\npace = slow_plugin:PANES\n"
    )
    (tmp_path / "slow_plugin.py").write_text(SLOW)
    done = processes.run(
        ["-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-m", checks, str(TESTS / "tui/plugin_pane_checks.py")],
        110,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tmp_path), str(TESTS.parent)]),
            "GATE": str(tmp_path / "gate"),
        },
        cwd=TESTS.parent,
    )
    assert done.returncode == 0, done.stdout
    assert f"{passed} passed" in done.stdout


@pytest.fixture
def register() -> Iterator[Callable[[PaneSpec], None]]:
    """Registers panes for the time of a test."""
    names = []

    def add(spec: PaneSpec) -> None:
        PANES.register(spec)
        names.append(spec.name)

    yield add
    for name in names:
        PANES.forget(name)


def notices(person: Person) -> list[str]:
    return [notice.message for notice in person.app._notifications]


async def test_a_pane_that_raises_is_told_of_once_and_left_alone(
    open_app: Opener, d2ltui_home: Path, register: Callable[[PaneSpec], None]
) -> None:
    asked: list[int] = []

    class FaultyPane(RunPane):
        def show_run(self, view: RunView) -> None:
            if view.live is not None and view.live.step > 0:
                asked.append(view.live.step)
                raise ZeroDivisionError(f"at [step] {view.live.step}")

    register(PaneSpec("faulty", "Faulty", FaultyPane))
    async with open_app(ENDLESS) as person:
        await person.press("ctrl+r")
        await person.until(lambda: asked, "the failure")
        loss = person.main.query_one("#loss", ChartPane)
        await person.until(lambda: notices(person), "what has failed")  # it is there for some seconds
        (notice,) = notices(person)
        frames, step = loss.frames, person.live.step
        await person.until(lambda: loss.frames > frames + 3 and person.live.step > step + 50, "the run goes on")
        assert person.word == "training"
        assert len(asked) == 1
        why = f"ZeroDivisionError: at [step] {asked[0]}"
        assert "this pane has failed" in person.text()
        assert notice.startswith(f"pane faulty has failed, and the run continues ({why}); the traceback is in ")
        (log,) = d2ltui_home.glob("failed-*.log")
        assert log.read_text().endswith(f"{why}\n")
        for _ in ORDER:  # it can still be gone through
            await person.press("tab")
        await person.press("z", "z")
        assert person.word == "training"


async def test_a_pane_that_cannot_be_made_is_left_out(
    open_app: Opener, register: Callable[[PaneSpec], None], d2ltui_home: Path
) -> None:
    def fails(spec: PaneSpec) -> RunPane:
        raise OSError("no such thing")

    register(PaneSpec("unmade", "Unmade", fails, "curves"))
    register(PaneSpec("other", "Other", lambda spec: "a pane"))  # type: ignore[arg-type,return-value]
    async with open_app(SMALL, size=(80, 24)) as person:
        assert person.main.arrangement.order == ORDER
        await person.until(lambda: len(notices(person)) == 2, "what is left out")
        first, second = notices(person)
        assert first.startswith("pane unmade is left out (OSError: no such thing)")
        assert second.startswith("pane other is left out (TypeError: make: it returns a str and not a RunPane)")
        await person.press("ctrl+r")
        await person.until_word("finished")


async def test_a_key_that_a_pane_fails_to_handle_ends_nothing(
    open_app: Opener, register: Callable[[PaneSpec], None], d2ltui_home: Path
) -> None:
    class Touchy(LinesPane):
        def on_key(self, event: events.Key) -> None:
            if event.key == "down":
                raise RuntimeError("not that key")

    register(PaneSpec("touchy", "Touchy", lambda spec: Touchy(spec, lambda *_: [])))
    async with open_app(SMALL) as person:
        await person.press("shift+tab")
        assert person.focused_pane == "touchy"
        await person.press("down", "down", "up")
        await person.until(lambda: notices(person), "what has failed")
        (notice,) = notices(person)
        assert notice.startswith("pane touchy has failed, and the run continues (RuntimeError: not that key)")
        await person.press("ctrl+r")
        await person.until_word("finished")


async def test_lines_that_no_terminal_should_get(
    open_app: Opener, register: Callable[[PaneSpec], None], d2ltui_home: Path
) -> None:
    register(PaneSpec("odd", "Odd", lambda spec: LinesPane(spec, lambda *_: [[(Style.TEXT, "a\x1b[2Jb漢c")]])))
    register(PaneSpec("style", "Style", lambda spec: LinesPane(spec, lambda *_: [[(99, "x")]])))
    async with open_app(SMALL) as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        await person.until(lambda: "a\ufffd[2Jb漢c" in person.text(), "a line without what steers a terminal")
        await person.until(lambda: notices(person), "what has failed")
        (notice,) = notices(person)
        assert notice.startswith("pane style has failed, and the run continues (ValueError: style: 99 is not allowed;")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "Pace 1"}, "name: 'Pace 1' is not allowed; allowed: small letters, digits and '-'"),
        ({"name": "body"}, "name: the name 'body' is taken"),
        ({"name": "loss"}, "the name 'loss' is taken"),
        ({"title": ""}, "title: '' is not allowed; allowed: 1 to 24 printable characters"),
        ({"tab": "a\tb"}, r"tab: 'a\tb' is not allowed; allowed: 1 to 24 printable characters"),
        ({"tab": "Setup"}, "tab: 'Setup' is not allowed: it has room for the form alone"),
        ({"column": "left"}, "column: 'left' is not allowed; allowed: curves, inside"),
        ({"share": 0}, "share: 0 is not allowed; allowed: whole numbers from 1"),
        ({"make": None}, "make: it is not a function"),
    ],
)
def test_a_pane_that_could_not_be_shown_is_refused(changed: dict[str, object], said: str) -> None:
    described = {"name": "pace", "title": "Pace", "make": lambda spec: LinesPane(spec, lambda *_: []), **changed}
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        PANES.register(PaneSpec(**described))  # type: ignore[arg-type]
    assert str(refused.value) == said


async def test_what_is_wrong_with_a_plugin_is_told_on_the_screen_of_its_pane(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where another one covers it by the time that the plug-in has been imported."""
    problem = "d2ltui.panes: the plug-in 'pace' is left out (ImportError: no such thing)"
    async with open_app(SMALL) as person:
        await person.press("question_mark")
        monkeypatch.setattr(PANES, "problems", [problem])
        await person.main.add_plugin_panes()
        await person.settle()
        assert notices(person) == [problem]
        assert not person.app.screen.query("Toast"), "the help is what it was"
        await person.press("escape")
        await person.until(lambda: "left out" in person.text(), "what is left out")
        assert person.app.screen is person.main

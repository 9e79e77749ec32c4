"""Every key of the table does what the table says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from person import ENDLESS, ORDER, SMALL, WIDE, Opener, Person
from textual.widgets import Input, Static

from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import resolve
from d2ltui.spec.config_file import read_toml
from d2ltui.tui.keys import KEYS, help_rows
from d2ltui.tui.panes.chart import ChartPane
from d2ltui.tui.screens.dialogs import ConfirmScreen, HelpScreen, SaveScreen, TextScreen
from d2ltui.tui.screens.main import SMOOTHING
from d2ltui.tui.widgets.fields import ChoiceField
from tests.selection import long_after

PANES_WITH_KEYS = [name for name in ORDER if name not in ("model-pane", "data-pane", "form-pane")]


async def test_run_trains_to_the_end_and_keeps_everything(open_app: Opener) -> None:
    async with open_app() as person:
        assert person.word == "ready"
        assert "trains what the form describes" in person.status
        await person.press("ctrl+r")
        await person.until_word("finished")
        assert person.live.step == person.live.config.total_steps
        assert "epoch 2/2" in person.status
        assert "validation" in person.status  # the result in words
        await person.until_drawn("loss")
        await person.until_drawn("accuracy")
        shown = person.text()
        assert "train" in shown
        assert "1 Linear 2→2" in shown
        assert "✓ finished" in shown


async def test_run_from_inside_a_field_takes_what_was_typed(open_app: Opener) -> None:
    async with open_app() as person:
        await person.type("epochs", "3")
        await person.press("ctrl+r")
        await person.until_word("finished")
        assert person.live.config.epochs == 3
        assert person.main.focused is None  # letters are keys again


async def test_pause_resume_step_epoch_and_stop(open_app: Opener) -> None:
    async with open_app(ENDLESS) as person:
        await person.press("ctrl+r")
        await person.until(lambda: person.live.step > 0 and person.word == "training", "the first step")
        await person.press("space")
        await person.until_word("paused")
        at = person.live.step
        await person.press("s")
        await person.until(lambda: person.live.step != at and person.live.status == "paused", "one step")
        assert person.live.step == at + 1
        await person.press("e")  # where that step was the epoch's last, there is none to come
        per_epoch = person.live.config.steps_per_epoch
        await person.until(
            lambda: person.live.step % per_epoch == 0 and person.live.status == "paused", "an epoch's end"
        )
        await person.until(lambda: person.app.control is not None and person.app.control.mode == "pause", "a pause")
        assert person.live.step - at <= per_epoch
        at = person.live.step
        await person.press("space")
        await person.until(lambda: person.live.step > at + 1, "more steps")
        assert person.live.status == "training"
        await person.press("x")
        await person.until_word("stopped")
        assert "stopped after step" in person.status
        assert person.app.control is None


@pytest.mark.parametrize(("key", "steps"), [("s", 1), ("e", 25)])
async def test_step_and_epoch_begin_a_run(open_app: Opener, key: str, steps: int) -> None:
    async with open_app() as person:
        await person.press(key)
        await person.until_word("paused")
        assert person.live.step == steps
        await person.press("x")
        await person.until_word("stopped")


@pytest.mark.parametrize("key", ["space", "x"])
async def test_pause_and_stop_say_that_nothing_is_training(open_app: Opener, key: str) -> None:
    async with open_app() as person:
        await person.press(key)
        assert "nothing is training: ctrl+r begins" in person.status
        assert person.app.live is None


@pytest.mark.parametrize(("size", "order"), long_after(1, [((80, 24), ORDER), ((120, 40), WIDE)]))
async def test_tab_goes_through_the_panes_and_back(open_app: Opener, size: tuple[int, int], order: list[str]) -> None:
    async with open_app(size=size) as person:
        while person.focused_pane != order[0]:
            await person.press("shift+tab")
        seen = [person.focused_pane]
        for _ in order[1:]:
            await person.press("tab")
            seen.append(person.focused_pane)
        assert seen == list(order)
        await person.press("tab")
        assert person.focused_pane == order[0]
        await person.press("shift+tab")
        assert person.focused_pane == order[-1]


@pytest.mark.parametrize("size", long_after(1, [(120, 40), (80, 24)], whole=True))
async def test_zoom_shows_the_focused_pane_alone_and_back(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app(size=size) as person:

        def shown() -> list[str]:
            return [name for name in ORDER if person.main.query_one(f"#{name}").region.area > 0]

        before = {}
        for pane in PANES_WITH_KEYS:
            while person.focused_pane != pane:
                await person.press("tab" if person.main.query_one(f"#{pane}").display or size[0] < 100 else "p")
            before[pane] = shown()
            await person.press("z")
            assert shown() == [pane]
            assert person.main.query_one(f"#{pane}").region.width == size[0]
            await person.press("z")
            assert shown() == before[pane]
        # While one is zoomed, tab zooms the next; escape ends it.
        await person.press("z", "shift+tab")
        assert shown() == [PANES_WITH_KEYS[-2]]
        await person.press("escape")
        assert shown() == before[PANES_WITH_KEYS[-2]]


async def test_zoom_without_a_focus_takes_the_loss(open_app: Opener) -> None:
    async with open_app() as person:
        await person.press("z")
        assert person.main.query_one("#loss", ChartPane).region.width == 120
        await person.press("z")
        assert person.main.query_one("#setup").region.width > 0


async def test_log_scale_and_smoothing(open_app: Opener) -> None:
    async with open_app() as person:
        await person.press("ctrl+r")
        await person.until_word("finished")
        await person.until_drawn("loss")
        loss = person.main.query_one("#loss", ChartPane)

        async def drawn_again(*keys: str) -> str:
            frames = loss.frames
            await person.press(*keys)
            await person.until(lambda: loss.frames > frames, f"another drawing after {keys}")
            return "\n".join("".join(text for _, text in line) for line in loss.view.lines)

        linear = "\n".join("".join(text for _, text in line) for line in loss.view.lines)
        logarithmic = await drawn_again("l")
        assert logarithmic != linear
        assert re.fullmatch(f"Loss \\(log\\)( train .*)?( of {person.app.run_name})?", loss.border_title)
        assert await drawn_again("l") == linear
        assert re.fullmatch(f"Loss( train .*)?( of {person.app.run_name})?", loss.border_title)

        start = SMOOTHING.index(float(str(loss.border_subtitle).removeprefix("smoothing ")))
        await person.press("]")
        assert loss.border_subtitle == f"smoothing {SMOOTHING[start + 1]:g}"
        await person.press(*["["] * (len(SMOOTHING) + 2))
        assert loss.border_subtitle == "raw"
        await person.press(*["]"] * (len(SMOOTHING) + 2))
        assert loss.border_subtitle == f"smoothing {SMOOTHING[-1]:g}"


async def test_save_writes_what_config_reads(open_app: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_app({**SMALL, "lr": 0.25}) as person:
        await person.focus("lr")
        await person.press("ctrl+s")
        assert isinstance(person.app.screen, SaveScreen)
        await person.press("enter")
        assert "saved: d2ltui --config softmax-moons.toml" in person.status
    assert resolve(read_toml("softmax-moons.toml")) == resolve({**SMALL, "lr": 0.25})


async def test_save_asks_before_it_overwrites(
    open_app: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("softmax-moons.toml").write_text("precious")
    async with open_app() as person:
        await person.press("ctrl+s", "enter")
        assert isinstance(person.app.screen, SaveScreen)
        assert "softmax-moons.toml exists" in person.text()
        await person.press("escape")
        assert person.main is person.app.screen
        assert Path("softmax-moons.toml").read_text() == "precious"
        await person.press("ctrl+s", "enter", "enter")
        assert person.main is person.app.screen
    assert resolve(read_toml("softmax-moons.toml")) == resolve(SMALL)


async def test_save_says_where_it_cannot_write(
    open_app: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["missing/run.toml", ".", "x" * 300, "~nobody-has-this-name/run.toml", " ", "a\0b"]
    async with open_app() as person:
        await person.press("ctrl+s")
        for name in names:
            person.app.screen.query_one(Input).value = name
            await person.press("enter", "enter")
            assert isinstance(person.app.screen, SaveScreen)
            said = str(person.app.screen.query_one(".problem", Static).content)
            assert said.startswith(f"file: '{name.strip()}' ")
            assert "; allowed: a file" in said
        await person.press("escape")
        assert person.main is person.app.screen
    assert list(tmp_path.iterdir()) == []


async def test_a_wrong_form_is_not_saved(open_app: Opener) -> None:
    async with open_app() as person:
        await person.type("lr", "fast")
        await person.press("ctrl+s")
        assert person.main is person.app.screen
        assert "not saved: lr: 'fast' is not allowed" in person.status


async def test_traceback_says_that_there_is_none(open_app: Opener) -> None:
    async with open_app() as person:
        await person.press("t")
        assert "no run has failed" in person.status


async def test_theme_and_back_also_from_inside_a_field(open_app: Opener) -> None:
    async with open_app() as person:
        dark = person.app.current_theme.dark
        await person.press("ctrl+t")
        assert person.app.current_theme.dark != dark
        await person.focus("lr")
        await person.press("ctrl+t")
        assert person.app.current_theme.dark == dark


async def test_letters_in_a_field_are_text_until_escape_leaves_it(open_app: Opener) -> None:
    async with open_app() as person:
        letters = "qxsez?lt[] "
        await person.type("device", letters)
        assert person.setup.state["device"] == letters
        assert person.main is person.app.screen
        assert person.app.live is None
        await person.press("escape")
        assert person.main.focused is person.field("device")
        assert person.setup.state["device"] == letters
        await person.press("?")
        assert isinstance(person.app.screen, HelpScreen)


async def test_help_lists_every_key(open_app: Opener) -> None:
    async with open_app(size=(120, 50)) as person:
        await person.press("?")
        assert isinstance(person.app.screen, HelpScreen)
        rows = [line.split("│")[1].split() for line in person.text().split("\n") if line.count("│") == 2]
        shown = " ".join(word for row in rows for word in row)
        for key, help in help_rows(KEYS):
            assert f"{key} {help}" in shown
        assert "ctrl+r train" in shown  # the footer has room for ^r alone
        await person.press("escape")
        assert person.main is person.app.screen


async def test_the_footer_names_every_key_that_the_table_says(open_app: Opener) -> None:
    for size in ((120, 40), (80, 24)):
        async with open_app(size=size) as person:
            footer = person.text().splitlines()[-1]
            for key in KEYS:
                if key.footer:
                    shown = f"{key.display or key.key} {key.word}"
                    # There is nothing to leave, and nothing is wrong.
                    assert (shown in footer) == (key.action not in ("leave_field", "findings")), size
            await person.focus("lr")  # where letters are typed, only what still acts is named, and the way out
            assert person.text().splitlines()[-1].split() == ["^r", "run", "esc", "leave"]


async def test_quit_at_once_where_nothing_runs(open_app: Opener) -> None:
    async with open_app() as person:
        await person.press("q")
        await person.until(lambda: not person.app.is_running, "the end")
    assert person.app.return_code == 0


async def leave_while_training(person: Person) -> None:
    await person.press("s")
    await person.until_word("paused")
    await person.press("q")
    assert isinstance(person.app.screen, ConfirmScreen)


async def test_quit_asks_while_a_run_goes_on(open_app: Opener) -> None:
    async with open_app(ENDLESS) as person:
        for no in ("escape", "n", "enter"):  # enter: on the button that loses nothing
            await leave_while_training(person)
            await person.press(no)
            assert person.main is person.app.screen
            assert person.app.is_running
        await leave_while_training(person)
        await person.press("y")
        await person.until(lambda: not person.app.is_running, "the end")
        await person.until(lambda: person.live.ended is not None, "the end of the run")
    assert person.app.return_code == 0
    assert person.live.status == "stopped"


async def test_interrupt_leaves_from_anywhere(open_app: Opener) -> None:
    async with open_app(ENDLESS) as person:
        await leave_while_training(person)
        await person.press("ctrl+c")
        await person.until(lambda: not person.app.is_running, "the end")
    assert person.app.return_code == 130


async def test_a_choice_lists_all_with_their_meaning(open_app: Opener) -> None:
    async with open_app({"epochs": 2}) as person:
        await person.focus("activation")
        await person.press("enter")
        assert "zero-centred" in person.text()
        await person.press("escape")
        assert person.setup.state["activation"] == "relu"
        await person.press("enter", "up", "enter")
        assert person.setup.state["activation"] == "tanh"
        field = person.field("activation")
        assert isinstance(field, ChoiceField)
        assert field.value == "tanh"
        await person.press("left", "left", "left")
        assert person.setup.state["activation"] == list(ACTIVATIONS)[-1]
        await person.press("right")
        assert person.setup.state["activation"] == "identity"


async def test_traceback_shows_the_whole_error(open_app: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    from d2ltui.nn.network import Network

    def forward(self: Network, x: object) -> object:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(Network, "__call__", forward)
    async with open_app() as person:
        await person.press("ctrl+r")
        await person.until_word("failed")
        assert "RuntimeError: broken on purpose" in person.status
        await person.press("t")
        assert isinstance(person.app.screen, TextScreen)
        assert "Traceback (most recent call last)" in person.text()
        await person.press("escape")
        # The application goes on.
        monkeypatch.undo()
        await person.press("s")
        await person.until_word("paused")


async def test_zoomed_activations_show_their_history_and_u_the_units(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "moons", "hidden": "8", "epochs": 3}) as person:
        await person.press("u")
        assert "no layer to open" in person.status
        await person.press("ctrl+r")
        await person.until_word("finished")
        person.main.query_one("#activations").focus()
        await person.press("z")
        await person.until(
            lambda: "step 0" in person.text() and "fullest bin" in person.text(), "a heatmap from the start"
        )
        await person.press("z", "u")
        await person.until(lambda: "8 units:" in person.text(), "the units of the ReLU")
        await person.press("right")
        await person.until(lambda: "no units that could die" in person.text(), "the layer after it")
        await person.press("escape")
        assert person.app.screen is person.main


async def test_there_is_no_second_table_of_keys(open_app: Opener) -> None:
    """Textual's palette of commands offers its own, and falls over a page key that comes early."""
    async with open_app() as person:
        await person.press("ctrl+p", "pagedown")
        assert person.app.screen is person.main


async def test_a_screen_that_closes_bears_what_was_on_its_way(open_app: Opener) -> None:
    async with open_app() as person:
        for opens in ("?", "R", "L"):
            await person.press(opens)
            screen = person.app.screen
            assert screen is not person.main
            await person.press("escape")
            await person.until(lambda: person.app.screen is person.main, "the main screen")
            await screen.remove_children()
            for late in ("_show_curves", "show_runs", "_arrange", "tick"):
                if hasattr(screen, late):
                    getattr(screen, late)()

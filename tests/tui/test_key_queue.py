"""Keys that arrive together, as they do over a link that stalls."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

from person import Opener
from textual import events

from d2ltui.tui.screens.dialogs import SaveScreen
from d2ltui.tui.screens.main import MainScreen
from d2ltui.tui.widgets.fields import ChoiceField, TextField
from d2ltui.tui.widgets.setup import ModelButton, ModelChoice


def arrive(person_app: object, *keys: str) -> None:
    """Post keys as the driver does, all at once."""
    for key in keys:
        person_app.post_message(events.Key(key, key if len(key) == 1 else None))  # type: ignore[attr-defined]


async def test_tabs_that_arrive_together_are_all_obeyed(open_app: Opener) -> None:
    async with open_app() as person:
        arrive(person.app, "tab", "tab", "tab")
        await person.until(lambda: person.focused_pane == "form-pane", "the third pane")


async def test_what_is_typed_after_an_arrow_goes_into_the_next_field(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "hidden": "32"}) as person:
        await person.focus("clip_norm")
        before = person.setup.query_one("#field-clip_norm", TextField).input.value
        arrive(person.app, "down", "0", ".", "5", "home", "1")
        await person.until(
            lambda: person.setup.query_one("#field-weight_decay", TextField).input.value == "10.5", "what was typed"
        )
        assert person.setup.query_one("#field-clip_norm", TextField).input.value == before


async def test_text_that_comes_as_keys_is_put_into_the_field_in_a_few_pieces(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "hidden": "32"}) as person:
        field = person.setup.query_one("#field-hidden", TextField)
        await person.focus("hidden")
        field.action_edit()
        changes: list[str] = []
        person.app.watch(field.input, "value", lambda value: changes.append(value), init=False)
        arrive(person.app, *",16" * 300, "left", "left", "7", "end", "8")
        await person.until(lambda: field.text.endswith("8"), "all of it")
        assert field.text == "32" + ",16" * 299 + ",7168"
        assert len(changes) < 20, "each character had the field drawn, and the form checked"


async def test_a_run_has_the_choices_that_were_turned_just_before(open_app: Opener) -> None:
    async with open_app({"model": "softmax", "dataset": "circles", "epochs": 1}, store=False) as person:
        await person.press("tab")
        assert person.focused_pane == "model-pane"
        # Each key starts where the one before it has led.
        arrive(person.app, "down", "up", "down", "tab", "tab", "down", "right", "right", "ctrl+r")
        await person.until_word("finished")
        config = person.live.config
        shown = person.setup.query_one("#field-activation", ChoiceField).value
        assert (config.model, config.activation) == ("mlp", shown)
        assert shown == "elu"
        assert [button.name for button in person.setup.query(ModelButton) if button.value] == ["mlp"]


async def test_whoever_reads_the_form_reads_what_it_shows(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "circles"}, store=False) as person:
        main, setup = person.main, person.setup
        data, activation = (setup.query_one(f"#field-{name}", ChoiceField) for name in ("dataset", "activation"))
        # Nothing is awaited: each message is still to be handled when the next thing is done.
        data.action_turn(1)
        assert main.described().dataset == data.value != "circles"  # type: ignore[union-attr]
        activation.action_turn(1)
        assert main.chosen_fields()["activation"] == activation.value != "relu"
        setup.query_one("#field-lr", TextField).input.value = "0.7"
        activation.action_turn(1)
        main.action_save()
        await person.settle()
        assert isinstance(person.app.screen, SaveScreen)
        assert f'activation = "{activation.value}"' in person.app.screen._text
        assert "lr = 0.7" in person.app.screen._text
        await person.press("escape")
        setup.query_one(ModelChoice).action_take(1)
        assert main.described().model == "lenet"  # type: ignore[union-attr]
        setup.query_one(ModelChoice).action_take(-1)
        activation.action_turn(1)
        main.put_into_form({"activation": "sigmoid"})  # a remedy is newer than what was turned before
        await person.settle()
        assert main.described().activation == activation.value == "sigmoid"  # type: ignore[union-attr]


async def test_keys_after_one_that_closes_a_dialog(open_app: Opener) -> None:
    async with open_app() as person:
        began = person.app._typed._count
        arrive(person.app, "?", "escape", "?", "escape", "tab")
        await person.until(lambda: person.focused_pane == "model-pane", "the pane after two dialogs")
        assert person.app._typed._count == began + 5


async def test_a_run_rests_from_a_key_to_the_end_of_its_answer(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "digits", "epochs": 10_000}, store=False) as person:
        await person.press("ctrl+r")
        await person.until_word("training")
        worker = person.app._worker
        assert worker is not None
        assert worker.control is not None
        control, asked = worker.control, []
        rest, end_rest = control.rest, control.end_rest
        control.rest = lambda seconds: (asked.append("rest"), rest(seconds))[1]  # type: ignore[method-assign]
        control.end_rest = lambda: (asked.append("end"), end_rest())[1]  # type: ignore[method-assign]
        person.app.input_comes()  # as the driver says, which is not there under test
        arrive(person.app, "tab")
        await person.until(lambda: asked[-1:] == ["end"], "the end of the rest")
        assert asked[0] == "rest"
        assert not control.resting
        assert person.focused_pane == "model-pane"
        asked.clear()
        person.app.input_comes()
        person.app.post_message(events.MouseScrollDown(None, 60, 20, 0, 0, 0, False, False, False, 60, 20))
        await person.until(lambda: asked[-1:] == ["end"], "the end of the rest after the wheel")


def test_a_key_that_is_pressed_while_another_is_answered_is_answered_too() -> None:
    drawn: list[str] = []

    class Live:
        on_status: Callable[[], object] | None = None
        ended, now = None, "training"

        @property
        def status(self) -> str:
            if self.now == "paused" and not asked:  # the engine's thread looks, and the interface's goes on meanwhile
                asked.append("resume")
                MainScreen._ask(screen, lambda: None, "training")
            return self.now

        def becomes(self, status: str) -> None:
            self.now = status
            if self.on_status is not None:
                self.on_status()

    asked: list[str] = []
    live = Live()
    screen: MainScreen = SimpleNamespace(  # type: ignore[assignment]
        host=SimpleNamespace(live=live), tick=None, call_later=lambda tick: drawn.append(live.now)
    )
    MainScreen._ask(screen, lambda: None, "paused")
    live.becomes("paused")
    live.becomes("training")
    live.becomes("training")
    assert drawn == ["paused", "training"]

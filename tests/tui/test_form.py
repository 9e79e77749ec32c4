"""The form: what it shows, what it says, and what it describes."""

from __future__ import annotations

import pytest
from person import SMALL, Opener, Person
from textual.widgets import Input, Static

from d2ltui.spec import catalogue
from d2ltui.spec.config import applicable_fields, resolve
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.models import MODELS
from d2ltui.spec.optimizers import OPTIMIZERS
from d2ltui.spec.parsing import ConfigError, parse
from d2ltui.tui.form_state import as_text
from d2ltui.tui.widgets.fields import ChoiceField, TextField
from d2ltui.tui.widgets.pane import Pane
from tests.selection import long_after

WRONG: dict[str, tuple[str, ...]] = {
    "hidden": ("", "0", "many", "256,,128", "256,"),
    "init_std": ("0", "-1"),
    "lr": ("0", "-1", "nan", "inf", "", "fast"),
    "momentum": ("1", "-0.1", "x"),
    "clip_norm": ("-1", "nan", "x"),
    "weight_decay": ("-0.1", "x"),
    "dropout": ("1", "-0.1", "x"),
    "label_smoothing": ("1", "-0.1", "x"),
    "batch_size": ("0", "1.5", "x"),
    "epochs": ("0", "-3", "x"),
    "seed": ("-1", "x"),
    "device": ("", "gpu", "cuda:x"),
    "threads": ("", "0", "-1", "1000000", "many"),
    "data_dir": ("/no/such/directory",),
    "noise": ("-1", "1001", "x"),
    "samples": ("19", "1.5", "x"),
    "val_fraction": ("0", "1", "x"),
    "factor": ("1", "-0.1", "x"),
    "turns": ("101", "-1", "x"),
}


def sentence(name: str, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(name, text)
    return caught.value.problems[0].message


def fill(person: Person, name: str, text: str) -> None:
    field = person.field(name)
    assert isinstance(field, TextField)
    field.input.value = text


@pytest.mark.parametrize("most", long_after(1, [1, 6]))
async def test_every_field_says_beside_it_what_is_wrong(open_app: Opener, most: int) -> None:
    given = {"model": "mlp", "dataset": "fashion-mnist", "init": "normal", "optimizer": "momentum"}
    async with open_app(given, size=(120, 70)) as person:
        assert set(WRONG) == {name for name, field in FIELDS.items() if field.kind != "choice"}
        for name, texts in WRONG.items():
            if name in catalogue.DATA_FIELDS:
                await person.choose("dataset", "spirals" if name == "turns" else "circles")
            right = person.setup.state[name]
            for text in texts[:most]:
                fill(person, name, text)
                await person.settle()
                said = person.problem(name)
                assert said == sentence(name, text)
                assert said.startswith(f"{name}: '{text}' is not allowed")
                assert "allowed: " in said.partition("is not allowed")[2]
                # Beside the field: directly below the row one types in.
                widget = person.field(name)
                assert widget.query_one(".problem").region.y == widget.query_one(Input).region.bottom
            fill(person, name, right)
            await person.settle()
            assert person.problem(name) == ""


async def test_a_field_is_validated_at_each_key(open_app: Opener) -> None:
    async with open_app() as person:
        await person.type("batch_size", "")
        said = []
        for key in "8001":
            await person.press(key)
            said.append(person.problem("batch_size"))
        assert said[:3] == ["", "", ""]
        assert said[3] == "batch_size: 8001 is not allowed; allowed: 1 to 800, the training samples of moons"
        await person.press("backspace")
        assert person.problem("batch_size") == ""


async def test_the_form_shows_what_the_model_has(open_app: Opener) -> None:
    async with open_app({"model": "mlp"}) as person:
        for name, model in MODELS.items():
            await person.choose_model(name)
            expected = {"dataset", *applicable_fields(name)} - set(catalogue.ONLY_WITH)
            expected |= catalogue.DATASET_SOURCES[person.setup.state["dataset"]].fields.keys()
            if not catalogue.DATASETS[person.setup.state["dataset"]].embedded:
                expected.add("data_dir")
            assert set(person.shown_fields()) == expected
            assert ("hidden" in person.shown_fields()) == (name == "mlp")
            offered = person.field("dataset")
            assert isinstance(offered, ChoiceField)
            assert offered.choices == catalogue.datasets_for(name)
            assert catalogue.DATASETS[person.setup.state["dataset"]].task == model.task
        await person.choose("init", "normal")
        assert "init_std" in person.shown_fields()
        await person.choose("init", "xavier")
        assert "init_std" not in person.shown_fields()
        await person.choose_model("mlp")
        await person.choose("dataset", "digits")
        assert "data_dir" not in person.shown_fields()
        await person.choose("dataset", "mnist")
        assert "data_dir" in person.shown_fields()


async def test_the_books_defaults_follow_model_and_data_set_and_spare_what_was_touched(open_app: Opener) -> None:
    def expect(person: Person, model: str, dataset: str, **touched: object) -> None:
        standard = {**catalogue.defaults(model, dataset), **touched}
        assert person.setup.state["dataset"] == dataset
        for name in applicable_fields(model):
            assert person.setup.state[name] == as_text(standard[name]), name
            field = person.field(name)
            shown = field.value if isinstance(field, ChoiceField) else field.query_one(Input).value
            assert shown == as_text(standard[name]), name

    async with open_app({}) as person:
        expect(person, "mlp", "digits")
        await person.choose("dataset", "spirals")
        expect(person, "mlp", "spirals")
        await person.choose_model("linear")
        expect(person, "linear", "synthetic-linear")
        await person.type("epochs", "7")
        await person.choose("dataset", "diabetes")
        expect(person, "linear", "diabetes", epochs=7)
        await person.choose_model("softmax")
        expect(person, "softmax", "digits", epochs=7)
        await person.choose_model("mlp")
        expect(person, "mlp", "digits", epochs=7)


async def test_options_count_as_touched(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "digits", "lr": 0.5}) as person:
        await person.choose_model("linear")
        assert person.setup.state["lr"] == "0.5"
        assert person.setup.state["epochs"] == "3"


async def test_the_learning_rate_follows_the_optimiser_until_it_is_typed(open_app: Opener) -> None:
    def shown(person: Person) -> str:
        return person.field("lr").query_one(Input).value

    async with open_app({"model": "mlp", "dataset": "digits"}) as person:
        for optimizer in ("adam", "momentum"):
            await person.choose("optimizer", optimizer)
            assert shown(person) == as_text(catalogue.defaults("mlp", "digits", optimizer)["lr"])
        await person.type("lr", "0.02")
        await person.choose("optimizer", "adam")
        assert shown(person) == "0.02"
    async with open_app({"model": "mlp", "dataset": "digits"}, typed=("lr",)) as person:
        await person.choose("optimizer", "adam")
        assert shown(person) == "0.1"


async def test_the_form_says_what_from_scratch_shares_with_concise(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "digits", "implementation": "scratch"}) as person:

        def note() -> str:
            return str(person.app.main.query_one("#form-note", Static).content)

        assert "with init default other weights" in note()
        await person.choose("init", "xavier")
        assert "the trajectory is concise's" in note()
        await person.choose_model("linear")
        assert "half of concise's gradient" in note()


async def test_from_scratch_offers_only_sgd(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "optimizer": "adam"}) as person:
        optimizer = person.field("optimizer")
        assert isinstance(optimizer, ChoiceField)
        assert optimizer.choices == tuple(OPTIMIZERS)
        await person.choose("implementation", "scratch")
        assert optimizer.choices == ("sgd",)
        assert optimizer.value == "sgd"
        assert "from scratch, the optimizer is SGD" in str(person.setup.query_one("#form-note", Static).content)
        await person.press("ctrl+r")
        await person.until(lambda: person.live.step > 0, "a step")
        assert person.live.config.optimizer == "sgd"


async def test_a_problem_in_a_field_that_is_gone_does_not_count(open_app: Opener) -> None:
    async with open_app({**SMALL, "init": "normal"}) as person:
        await person.type("init_std", "-1")
        assert person.problem("init_std")
        await person.choose("init", "default")
        assert person.setup.state.problems() == {}
        await person.press("s")
        await person.until_word("paused")


def network_shown(person: Person) -> list[str]:
    return str(person.setup.query_one("#network", Static).content).splitlines()


async def test_the_network_is_the_layer_plan(open_app: Opener) -> None:
    async with open_app({"model": "mlp"}, size=(120, 60)) as person:

        def expect(said: int = 0, **given: object) -> None:
            layers = catalogue.layer_plan(resolve(given))
            *lines, total = network_shown(person)[said:]
            assert [line.split() for line in lines] == [
                f"{layer.index} {layer.title} {f'{layer.parameters:,}' if layer.parameters else ''}".split()
                for layer in layers
            ]
            assert total.split() == [f"{sum(layer.parameters for layer in layers):,}", "parameters"]

        expect(model="mlp")
        await person.type("hidden", "32,16")
        expect(model="mlp", hidden="32,16")
        fill(person, "hidden", "32,x")  # what is wrong changes nothing, and is named above
        await person.settle()
        assert network_shown(person)[0] == "as before; not allowed now: hidden"
        expect(1, model="mlp", hidden="32,16")
        fill(person, "hidden", "32,16")
        await person.type("dropout", "0.5")
        await person.choose("activation", "sigmoid")
        expect(model="mlp", hidden="32,16", dropout=0.5, activation="sigmoid")
        await person.choose("activation", "identity")
        await person.choose_model("linear")
        expect(model="linear")
        await person.choose_model("softmax")
        expect(model="softmax")
        assert network_shown(person) == [" 1 Linear 64→10          650", "              650 parameters"]


async def test_a_field_that_is_seldom_wanted_takes_no_row_where_they_are_few(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "digits"}) as person:
        assert "label_smoothing" not in person.shown_fields()
    async with open_app({"model": "mlp", "dataset": "digits", "label_smoothing": 0.1}) as person:
        assert "label_smoothing" in person.shown_fields()
    async with open_app({"model": "mlp", "dataset": "digits"}, size=(120, 50)) as person:
        assert "label_smoothing" in person.shown_fields()
        await person.pilot.resize_terminal(120, 40)
        await person.settle()
        assert "label_smoothing" not in person.shown_fields()
        await person.pilot.resize_terminal(120, 50)
        await person.settle()
        await person.type("label_smoothing", "0.1")
        await person.pilot.resize_terminal(120, 40)
        await person.settle()
        assert "label_smoothing" in person.shown_fields()


async def test_a_deep_network_is_summarised(open_app: Opener) -> None:
    config = resolve({"model": "mlp", "hidden": ",".join(["8"] * 100)})
    layers = catalogue.layer_plan(config)
    async with open_app(config) as person:
        lines = network_shown(person)
        assert len(lines) < 10
        assert lines[0].split()[:3] == ["1", "Linear", "64→8"]
        assert lines[-2].split()[:3] == ["201", "Linear", "8→10"]
        left_out = next(line for line in lines if "more layers" in line)
        assert len(lines) - 2 + int(left_out.split()[1]) == len(layers)
        assert lines[-1].split()[0] == f"{sum(layer.parameters for layer in layers):,}"


async def test_the_data_pane_tells_parts_and_normalisation(open_app: Opener) -> None:
    async with open_app({}, size=(120, 60)) as person:
        for info in catalogue.DATASETS.values():
            if info.task == "classification":
                await person.choose("dataset", info.name)
                said = str(person.setup.query_one("#data-note", Static).content)
                assert info.description in said
                assert info.normalisation in said
                assert f"{info.train_size:,} train + {info.val_size:,} validation" in said


@pytest.mark.parametrize("size", long_after(1, [(80, 24), (120, 40)], whole=True))
async def test_a_wrong_form_trains_nothing_and_goes_to_the_field(open_app: Opener, size: tuple[int, int]) -> None:
    async with open_app(size=size) as person:
        fill(person, "epochs", "0")
        person.main.query_one("#accuracy", Pane).focus()
        await person.press("z", "ctrl+r")
        field = person.field("epochs")
        await person.until(lambda: person.main.focused is field, "the focus on epochs")
        assert field.region.area > 0
        assert "epochs: '0' is not allowed" in person.status
        assert person.app.live is None
        await person.press("backspace", "1", "ctrl+r")
        await person.until_word("finished")


async def test_a_failure_is_said_at_the_field_to_blame_until_it_is_over(open_app: Opener) -> None:
    async with open_app({**SMALL, "device": "cuda:99"}) as person:
        await person.press("ctrl+r")
        await person.until_word("failed")
        await person.until(lambda: person.problem("device"), "the problem beside the field")
        assert "device: 'cuda:99' is not available" in person.problem("device")
        assert "device: 'cuda:99' is not available" in person.status
        await person.type("device", "cpu")
        assert person.problem("device") == ""
        await person.press("ctrl+r")
        await person.until_word("finished")


async def test_a_failure_at_a_field_is_forgotten_when_the_same_form_runs_again(open_app: Opener) -> None:
    async with open_app() as person:
        person.setup.set_problem("dataset", "dataset: the download failed")
        await person.settle()
        note = person.setup.query_one("#data-problem", Static)
        assert note.display
        await person.press("s")
        await person.until_word("paused")
        assert not note.display


async def test_arrow_keys_reach_every_field(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "fashion-mnist", "init": "normal"}, size=(120, 60)) as person:
        await person.press("tab")
        reached = []
        for _ in range(25):
            focused = person.main.focused
            holder = focused.parent if isinstance(focused, Input) else focused
            reached.append(getattr(holder, "field", "model"))
            await person.press("down")
        assert set(reached) == {"model", *person.shown_fields()}
        await person.press("up")
        assert person.main.focused is not None


async def test_what_is_hidden_never_gets_the_focus(open_app: Opener) -> None:
    async with open_app({"model": "mlp"}) as person:
        for start in ("dataset", "init"):  # below them: data dir, and the standard deviation of `init normal`
            await person.focus(start)
            for _ in range(20):
                await person.press("down")
                focused = person.main.focused
                assert focused is not None
                assert focused.region.area > 0, f"after {start}"
        await person.choose("init", "normal")
        await person.press("down")
        assert person.main.focused is person.field("init_std")


async def test_a_choice_can_be_turned_for_the_next_run_at_once(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "circles", "epochs": 1}) as person:
        await person.focus("activation")
        await person.press("left", "ctrl+r")
        await person.until_word("finished")
        before = person.live
        value = before.config.activation
        await person.press("right", "ctrl+r")
        await person.until(lambda: person.live is not before, "another run")
        assert person.live.config.activation != value
        await person.press("l")  # letters are keys
        assert person.main._log


async def test_z_still_means_the_pane_that_was_left(open_app: Opener) -> None:
    async with open_app({"model": "mlp"}, size=(120, 40)) as person:
        await person.focus("lr")
        await person.press("escape", "z")
        assert person.main._zoomed == "form-pane"
        assert person.main.query_one("#form-pane").region.width == 120
        for pane in ("model-pane", "data-pane"):
            await person.press("tab")
            while person.main._zoomed != pane:
                await person.press("tab")
            assert person.main.query_one(f"#{pane}").region.width == 120


async def test_how_a_run_has_ended_takes_the_place_of_what_was_said_before(open_app: Opener) -> None:
    async with open_app({"model": "mlp", "dataset": "circles", "lr": 1e30, "epochs": 3}) as person:
        person.main._start("run")  # not by its key: the run may have ended before an answer to that
        person.main._say("something old")
        await person.until_word("diverged")
        await person.until(lambda: "something old" not in person.status, "the reason")
        assert "lower lr" in person.status
        await person.until(lambda: "not finite" in person.text(), "the broken layers")
        assert "mean –  sd –" in person.text()

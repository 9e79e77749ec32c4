"""The form without its widgets: texts, defaults, what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import resolve
from d2ltui.spec.models import MODELS
from d2ltui.spec.optimizers import OPTIMIZERS
from d2ltui.spec.parsing import ConfigError
from d2ltui.tui.form_state import FormState, as_text


def test_the_form_holds_the_run_that_it_was_made_of() -> None:
    for given_ in ({}, {"model": "linear"}, {"hidden": "64,32", "lr": 0.3}, {"implementation": "scratch"}):
        config = resolve(given_)
        assert FormState(config).resolve() == config


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_a_number_survives_the_form(lr: float) -> None:
    assert float(as_text(lr)) == lr
    assert FormState(resolve({"lr": lr})).resolve().lr == lr


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "0.1"), (1e-5, "1e-5"), (3.0, "3"), ((256, 128), "256,128"), (None, ""), (10, "10")]
)
def test_values_as_a_person_types_them(value: object, text: str) -> None:
    assert as_text(value) == text


def test_untouched_fields_follow_the_books_defaults() -> None:
    form = FormState(resolve({}))
    form.set("model", "linear")
    assert form["dataset"] == "synthetic-linear"
    assert (form["lr"], form["batch_size"], form["epochs"]) == ("0.03", "32", "3")
    form.set("model", "mlp")
    form.set("dataset", "fashion-mnist")
    assert (form["lr"], form["batch_size"], form["epochs"]) == ("0.1", "256", "10")
    assert form.resolve() == resolve({"model": "mlp", "dataset": "fashion-mnist"})


def test_the_learning_rate_follows_the_optimiser_and_the_activation() -> None:
    form = FormState(resolve({}))

    def rate(**given: object) -> str:
        return as_text(resolve(given).lr)

    for optimizer in ("adam", "rmsprop", "adagrad", "momentum", "sgd", "adam"):
        form.set("optimizer", optimizer)
        assert form["lr"] == rate(optimizer=optimizer)
    form.set("dataset", "moons")
    assert form["lr"] == rate(optimizer="adam", dataset="moons")
    form.set("activation", "sigmoid")
    assert form["lr"] == rate(optimizer="adam", dataset="moons", activation="sigmoid")
    form.set("implementation", "scratch")  # which has only SGD
    assert form["lr"] == rate(dataset="moons", activation="sigmoid")
    assert form.resolve() == resolve({"dataset": "moons", "activation": "sigmoid", "implementation": "scratch"})


def test_a_learning_rate_that_was_typed_stays() -> None:
    form = FormState(resolve({}))
    form.set("lr", "0.7")
    for name, text in (("optimizer", "adam"), ("activation", "sigmoid"), ("model", "softmax")):
        form.set(name, text)
        assert form["lr"] == "0.7"
    # Also where it is the default of what it was typed beside: on the command line, in a file, in the form.
    form = FormState(resolve({"lr": 0.1}), typed=("lr",))
    form.set("optimizer", "adam")
    assert form["lr"] == "0.1"
    form = FormState(resolve({}))
    form.set("lr", "0.")
    form.set("lr", "0.1")
    form.set("optimizer", "adam")
    assert form["lr"] == "0.1"


def test_the_default_of_another_optimiser_is_not_touched() -> None:
    form = FormState(resolve({"optimizer": "adam"}))
    form.set("optimizer", "sgd")
    assert form.resolve() == resolve({})


def test_touched_fields_stay() -> None:
    form = FormState(resolve({}))
    form.set("lr", "0.7")
    form.set("model", "linear")
    assert form["lr"] == "0.7"
    assert form["epochs"] == "3"


def test_what_the_command_line_preset_counts_as_touched() -> None:
    form = FormState(resolve({"lr": 0.7}))
    form.set("dataset", "moons")
    assert form["lr"] == "0.7"


def test_a_model_keeps_a_data_set_that_it_can_do() -> None:
    form = FormState(resolve({"dataset": "moons"}))
    form.set("model", "softmax")
    assert form["dataset"] == "moons"


def test_from_scratch_offers_sgd_alone() -> None:
    form = FormState(resolve({"optimizer": "adam"}))
    assert form.choices("optimizer") == tuple(OPTIMIZERS)
    form.set("implementation", "scratch")
    assert form.choices("optimizer") == ("sgd",)
    assert form["optimizer"] == "sgd"
    assert not form.problems()


def test_choices_of_data_sets_fit_the_model() -> None:
    form = FormState(resolve({"model": "linear"}))
    assert form.choices("dataset") == ("synthetic-linear", "function", "diabetes")
    assert form.choices("activation") == tuple(ACTIVATIONS)


def test_problems_stand_at_their_fields() -> None:
    form = FormState(resolve({}))
    form.set("lr", "0")
    form.set("hidden", "many")
    problems = form.problems()
    assert set(problems) == {"hidden", "lr"}
    assert problems["lr"] == "lr: '0' is not allowed; allowed: a finite number greater than 0"
    with pytest.raises(ConfigError):
        form.resolve()
    assert form.last_valid == resolve({})
    form.set("lr", "0.2")
    form.set("hidden", "16")
    assert not form.problems()
    assert form.last_valid == resolve({"lr": 0.2, "hidden": "16"})


def test_fields_of_the_model_only() -> None:
    form = FormState(resolve({}))
    assert {"hidden", "activation", "dropout"} <= set(form.visible())
    form.set("model", "softmax")
    assert not {"hidden", "activation", "dropout"} & set(form.visible())


def test_the_sd_is_there_for_the_normal_init_alone() -> None:
    form = FormState(resolve({}))
    assert "init_std" not in form.visible()
    form.set("init", "normal")
    assert "init_std" in form.visible()


def test_labels_are_smoothed_where_there_are_classes() -> None:
    form = FormState(resolve({}))
    form.set("label_smoothing", "0.1")
    assert form.resolve().smoothing == 0.1
    form.set("dataset", "diabetes")
    assert "label_smoothing" not in form.visible()
    assert form.resolve().smoothing == 0


def test_what_is_not_on_the_screen_cannot_be_wrong() -> None:
    form = FormState(resolve({"init": "normal"}))
    form.set("init_std", "-1")
    form.set("hidden", "none")
    assert set(form.problems()) == {"hidden", "init_std"}
    form.set("init", "xavier")
    assert set(form.problems()) == {"hidden"}
    form.set("model", "softmax")
    assert not form.problems()


@given(
    st.lists(
        st.tuples(st.sampled_from(["hidden", "lr", "batch_size", "epochs", "dropout", "seed", "device"]), st.text())
        | st.tuples(st.just("model"), st.sampled_from(list(MODELS)))
        | st.tuples(st.just("implementation"), st.sampled_from(list(catalogue.IMPLEMENTATIONS)))
        | st.tuples(st.just("init"), st.sampled_from(list(catalogue.INITS)))
        | st.tuples(st.sampled_from(["dataset", "optimizer"]), st.integers(0, 9)),
        max_size=20,
    )
)
def test_anything_may_be_typed(typed: list[tuple[str, str | int]]) -> None:
    form = FormState(resolve({}))
    for name, text in typed:
        if isinstance(text, int):
            choices = form.choices(name)
            text = choices[text % len(choices)]
        form.set(name, text)
        assert form["dataset"] in form.choices("dataset")
        problems = form.problems()
        assert set(problems) <= set(form.visible())
        if not problems:
            assert form.resolve() == form.last_valid

"""Fields: what is allowed, what is not, and the sentence that says so."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from d2ltui.spec.config import RunConfig, applicable_fields, resolve
from d2ltui.spec.fields import FIELDS, MAX_EPOCHS, MAX_LAYERS, MAX_PATH, MAX_WIDTH
from d2ltui.spec.models import MODELS
from d2ltui.spec.parsing import ConfigError, Problem, parse
from d2ltui.spec.similar import nearest
from d2ltui.spec.text import MAX_VALUE, printable

GOOD = [
    ("model", "linear", "linear"),
    ("implementation", "scratch", "scratch"),
    ("dataset", "fashion-mnist", "fashion-mnist"),
    ("hidden", "256,128", (256, 128)),
    ("hidden", " 256 , 128 ", (256, 128)),
    ("hidden", "1", (1,)),
    ("hidden", 64, (64,)),
    ("hidden", [64, 32], (64, 32)),
    ("hidden", f"{MAX_WIDTH}", (MAX_WIDTH,)),
    ("hidden", [1] * MAX_LAYERS, (1,) * MAX_LAYERS),
    ("activation", "tanh", "tanh"),
    ("init", "xavier", "xavier"),
    ("init_std", "1e-3", 0.001),
    ("optimizer", "adam", "adam"),
    ("lr", "0.1", 0.1),
    ("lr", 1, 1.0),
    ("lr", "1e30", 1e30),
    ("weight_decay", "0", 0.0),
    ("weight_decay", "3", 3.0),
    ("dropout", "0", 0.0),
    ("dropout", "0.999", 0.999),
    ("batch_size", "1", 1),
    ("batch_size", " 32 ", 32),
    ("epochs", MAX_EPOCHS, MAX_EPOCHS),
    ("seed", "0", 0),
    ("seed", 2**31 - 1, 2**31 - 1),
    ("device", "auto", "auto"),
    ("device", "cpu", "cpu"),
    ("device", "cuda", "cuda"),
    ("device", "cuda:3", "cuda:3"),
    ("device", "mps", "mps"),
    ("data_dir", "", None),
    ("data_dir", None, None),
]
BAD = [
    ("model", "svm", "linear, softmax, mlp, lenet"),
    ("model", "", "linear, softmax, mlp, lenet"),
    ("model", ["mlp"], "linear, softmax, mlp, lenet"),
    ("implementation", "keras", "concise, scratch"),
    ("dataset", "imagenet", "digits"),
    ("hidden", "", "1 to 200 whole numbers from 1 to 65536"),
    ("hidden", "0", "1 to 200 whole numbers from 1 to 65536"),
    ("hidden", "256,0", "1 to 200 whole numbers from 1 to 65536"),
    ("hidden", "256,", "separated by commas"),
    ("hidden", "256,,128", "separated by commas"),
    ("hidden", "many", "such as 256,128"),
    ("hidden", "2.5", "whole numbers"),
    ("hidden", -1, "whole numbers"),
    ("hidden", [], "1 to 200"),
    ("hidden", [[1]], "whole numbers"),
    ("hidden", [True], "whole numbers"),
    ("hidden", [1] * (MAX_LAYERS + 1), "1 to 200"),
    ("hidden", MAX_WIDTH + 1, "from 1 to 65536"),
    ("activation", "softplus", "identity, sigmoid, tanh, relu, leaky-relu, elu, gelu, silu"),
    ("init", "ones", "default, normal, xavier, kaiming, zeros"),
    ("init_std", "0", "a finite number greater than 0"),
    ("optimizer", "lbfgs", "sgd, momentum, adagrad, rmsprop, adam, adamw"),
    ("lr", "0", "a finite number greater than 0"),
    ("lr", "-0.1", "a finite number greater than 0"),
    ("lr", "nan", "a finite number greater than 0"),
    ("lr", "inf", "a finite number greater than 0"),
    ("lr", "1e999", "a finite number greater than 0"),
    ("lr", "", "a finite number greater than 0"),
    ("lr", "fast", "a finite number greater than 0"),
    ("lr", True, "a finite number greater than 0"),
    ("lr", float("nan"), "a finite number greater than 0"),
    ("weight_decay", "-1", "a finite number, 0 or more"),
    ("dropout", "1", "a finite number, 0 or more and less than 1"),
    ("dropout", "-0.1", "a finite number, 0 or more and less than 1"),
    ("batch_size", "0", "a whole number, 1 or more"),
    ("batch_size", "1.5", "a whole number, 1 or more"),
    ("batch_size", "1e2", "a whole number, 1 or more"),
    ("batch_size", "-4", "a whole number, 1 or more"),
    ("epochs", "0", "a whole number from 1 to 1000000"),
    ("epochs", MAX_EPOCHS + 1, "a whole number from 1 to 1000000"),
    ("epochs", 0.5, "a whole number from 1 to 1000000"),
    ("seed", "-1", "a whole number from 0 to 2147483647"),
    ("seed", 2**31, "a whole number from 0 to 2147483647"),
    ("device", "gpu", "auto, cpu, cuda, cuda:N, mps"),
    ("device", "cuda:", "auto, cpu, cuda, cuda:N, mps"),
    ("device", "cuda:-1", "auto, cpu, cuda, cuda:N, mps"),
    ("device", "cuda:٣", "auto, cpu, cuda, cuda:N, mps"),
    ("device", 0, "auto, cpu, cuda, cuda:N, mps"),
    ("data_dir", "/no/such/place", "an existing, readable directory"),
    ("data_dir", "~there-is-no-such-user/data", "an existing, readable directory"),
    ("data_dir", "zero\0byte", "an existing, readable directory"),
    ("data_dir", "half a pair \ud800", "an existing, readable directory"),
    ("data_dir", "x" * 5000, "an existing, readable directory"),
    ("data_dir", 3, "an existing, readable directory"),
]


def sentence(name: str, value: object) -> str:
    """The one sentence that `value` gets, from `parse` and from `resolve` alike."""
    with pytest.raises(ConfigError) as caught:
        parse(name, value)
    (problem,) = caught.value.problems
    with pytest.raises(ConfigError) as again:
        resolve({name: value})
    assert problem in again.value.problems
    assert problem.field == name
    return problem.message


@pytest.mark.parametrize(("name", "value", "expected"), GOOD)
def test_good_values(name: str, value: object, expected: object) -> None:
    result = parse(name, value)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(("name", "value", "allowed"), BAD)
def test_the_sentence_names_the_field_the_value_and_what_is_allowed(name: str, value: object, allowed: str) -> None:
    message = sentence(name, value)
    assert message.startswith(f"{name}: ")
    assert printable(value, MAX_VALUE).rstrip("…") in message
    assert allowed in message
    assert "\n" not in message
    assert len(message) < 500


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.kind in ("int", "float", "ints")])
def test_a_number_too_long_to_write_out_is_still_one_sentence(name: str) -> None:
    message = sentence(name, 10**5000)
    assert message.startswith(f"{name}: ")
    assert FIELDS[name].allowed in message
    for text in ("9" * 5000, "0" * 5000, "1" + "0" * 20_000, ",".join(["1"] * 20_000)):
        message = sentence(name, text)
        assert message.startswith(f"{name}: '{text[:70]}")
        assert len(message) < 300


@pytest.mark.parametrize(
    ("name", "value", "nearest"),
    [
        ("model", "mpl", "mlp"),
        ("model", "MLP", "mlp"),
        ("model", "sofmax", "softmax"),
        ("implementation", "scrath", "scratch"),
        ("dataset", "fashion_mnist", "fashion-mnist"),
        ("dataset", "digit", "digits"),
        ("dataset", "fashion", "fashion-mnist"),
        ("activation", "sigmoyd", "sigmoid"),
        ("init", "xaver", "xavier"),
        ("optimizer", "adagrd", "adagrad"),
    ],
)
def test_the_nearest_name_is_proposed(name: str, value: str, nearest: str) -> None:
    assert f"(did you mean {nearest}?)" in sentence(name, value)


def test_nothing_is_proposed_where_nothing_is_near() -> None:
    assert "did you mean" not in sentence("model", "zzzzzzzz")
    for other in ("iris", "wine", "boston", "titanic", "x" * 100_000):
        assert "did you mean" not in sentence("dataset", other)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("trian", "train"),  # two exchanged
        ("tran", "train"),
        ("trainn", "train"),
        ("exprot", "export"),
        ("lesons", "lessons"),
        ("comp", "compare"),
        ("co", None),  # too little to say
        ("watsh", "watch"),
        ("trial", None),
        ("start", None),
        ("", None),
    ],
)
def test_a_name_is_proposed_only_where_it_is_close(word: str, meant: str | None) -> None:
    assert nearest(word, ["train", "export", "lessons", "compare", "watch", "models", "runs"]) == meant


@pytest.mark.parametrize(("word", "meant"), [("--learning-rate", "--lr"), ("--rate", None), ("--log-rank", "--lr")])
def test_a_name_in_full_is_known_by_its_initials(word: str, meant: str | None) -> None:
    assert nearest(word, ["--epochs", "--lr", "--seed"]) == meant
    field = nearest(word.strip("-").replace("-", "_"), ["epochs", "lr", "seed"])
    assert field == (meant.strip("-") if meant else None)


@pytest.mark.parametrize("name", FIELDS)
@given(text=st.text() | st.text(alphabet=string.digits + ",.-+e naif:", max_size=12))
@example(text="0" * (MAX_VALUE + 1))
def test_no_text_does_more_than_be_refused(name: str, text: str) -> None:
    try:
        parse(name, text)
    except ConfigError as error:
        (problem,) = error.problems
        assert problem.field == name
        told = printable(text, MAX_PATH if FIELDS[name].kind == "path" else MAX_VALUE)  # paths are told at length
        assert f"'{told}'" in problem.message
        assert problem.message.isprintable()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(list(FIELDS)) | st.text(max_size=6), anything, max_size=4))
def test_no_values_do_more_than_be_refused(values: dict[str, object]) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        assert isinstance(resolve(values), RunConfig)
    except ConfigError as error:
        problems = error.problems
    assert len({problem.field for problem in problems}) == len(problems)


def test_every_wrong_field_gets_its_own_sentence() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve({"lr": "0", "epochs": "0", "batch_size": "x"})
    assert [problem.field for problem in caught.value.problems] == ["lr", "epochs", "batch_size"]


def test_an_unknown_field() -> None:
    no_such_field = r"^learning_rate: no such field \(did you mean lr\?\); allowed: model, "
    with pytest.raises(ConfigError, match=no_such_field) as caught:
        resolve({"learning_rate": 1})
    assert len(caught.value.problems) == 1
    with pytest.raises(ConfigError, match=r"^epoch: no such field \(did you mean epochs\?\); allowed: "):
        resolve({"epoch": 1})


# Between fields


def test_a_batch_is_at_most_the_training_data() -> None:
    assert resolve({"dataset": "digits", "batch_size": 1437}).steps_per_epoch == 1
    with pytest.raises(
        ConfigError, match=r"^batch_size: 1438 is not allowed; allowed: 1 to 1437, the training samples of digits$"
    ):
        resolve({"dataset": "digits", "batch_size": 1438})
    assert resolve({"dataset": "fashion-mnist", "batch_size": 60000}).batch_size == 60000


def test_a_huge_batch() -> None:
    with pytest.raises(ConfigError, match="batch_size: 1000000000000000000000000000000 is not allowed"):
        resolve({"batch_size": 10**30})


def test_a_data_set_of_another_task() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve({"model": "linear", "dataset": "digits"})
    (problem,) = caught.value.problems
    assert problem.field == "dataset"
    assert problem.message == (
        "dataset: 'digits' is not allowed (its task is classification); "
        "allowed: with model linear, synthetic-linear, function, diabetes"
    )


@pytest.mark.parametrize(
    ("name", "value", "having"),
    [("hidden", "12", "mlp"), ("activation", "relu", "mlp or lenet"), ("dropout", "0.5", "mlp")],
)
@pytest.mark.parametrize("model", ["linear", "softmax"])
def test_a_field_that_the_model_has_not(model: str, name: str, value: str, having: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve({"model": model, name: value})
    (problem,) = caught.value.problems
    assert problem.field == name
    assert problem.message == (
        f"{name}: '{value}' is not allowed (model {model} has no {name}); allowed: with model {having}"
    )


@pytest.mark.parametrize("init", ["default", "xavier", "kaiming", "zeros"])
def test_a_standard_deviation_that_no_weight_would_have(init: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve({"init": init, "init_std": "0.5"})
    (problem,) = caught.value.problems
    assert problem.field == "init_std"
    assert problem.message == (
        f"init_std: '0.5' is not allowed (init {init} has no init_std); allowed: with init normal"
    )
    assert resolve({"init": init, "init_std": "0.5"}, unused=True).init_std == 0.5
    assert resolve({"init": "normal", "init_std": "0.5"}).init_std == 0.5


def test_from_scratch_has_sgd_and_says_so() -> None:
    assert resolve({"implementation": "scratch"}).optimizer == "sgd"
    with pytest.raises(ConfigError, match=r"^optimizer: 'adam' is not allowed .*only SGD.*; allowed: .*sgd"):
        resolve({"implementation": "scratch", "optimizer": "adam"})


def test_a_wrong_name_is_not_held_against_the_other_fields() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve({"dataset": "fashon-mnist", "batch_size": 5000})
    assert [problem.field for problem in caught.value.problems] == ["dataset"]
    with pytest.raises(ConfigError) as caught:
        resolve({"model": "mpl", "dataset": "diabetes", "hidden": "12"})
    assert [problem.field for problem in caught.value.problems] == ["model"]


# Defaults


def test_the_default_run_is_the_mlp_on_digits() -> None:
    config = resolve({})
    assert (config.model, config.dataset, config.implementation) == ("mlp", "digits", "concise")


def test_a_data_set_alone_chooses_its_model_and_a_model_its_data_set() -> None:
    assert resolve({"dataset": "diabetes"}).model == "linear"
    assert resolve({"dataset": "moons"}).model == "mlp"
    assert resolve({"model": "linear"}).dataset == "synthetic-linear"
    assert resolve({"model": "softmax"}).dataset == "digits"


def test_steps() -> None:
    config = resolve({"dataset": "digits", "batch_size": 32, "epochs": 7})
    assert config.steps_per_epoch == 45  # 44 × 32 + 29
    assert config.total_steps == 315


def test_a_config_is_a_value() -> None:
    with pytest.raises(AttributeError):
        resolve({}).lr = 1.0  # type: ignore[misc]
    assert resolve({}) == resolve({})


def test_the_fields_of_a_form() -> None:
    assert "hidden" in applicable_fields("mlp")
    assert "hidden" not in applicable_fields("linear")
    for model in MODELS:
        assert set(applicable_fields(model)) <= set(FIELDS)


def test_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse("data_dir", str(tmp_path)) == str(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    assert parse("data_dir", "~/data") == str(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    assert parse("data_dir", "data") == str(tmp_path / "data"), "a worker, or a later resume, is elsewhere"
    file = tmp_path / "file"
    file.touch()
    assert "(it is not a directory)" in sentence("data_dir", str(file))
    assert "(there is no such directory)" in sentence("data_dir", str(tmp_path / "none"))


def test_an_unreadable_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    # In place of chmod, which does not stop root.
    monkeypatch.setattr(Path, "iterdir", refuse)
    assert "(Permission denied)" in sentence("data_dir", str(tmp_path))

"""Configuration files: in, out, and what is wrong with them."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.config_file import MAX_BYTES, from_toml, read_toml, to_toml
from d2ltui.spec.fields import MAX_WIDTH
from d2ltui.spec.models import MODELS
from d2ltui.spec.optimizers import OPTIMIZERS
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.text import printable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@st.composite
def configs(draw: st.DrawFn) -> RunConfig:
    """Any run."""
    model = draw(st.sampled_from(list(MODELS)))
    dataset = draw(st.sampled_from(catalogue.datasets_for(model)))
    positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
    given: dict[str, object] = {
        "model": model,
        "dataset": dataset,
        "implementation": draw(st.sampled_from(list(catalogue.IMPLEMENTATIONS))),
        "init": draw(st.sampled_from(list(catalogue.INITS))),
        "lr": draw(positive),
        "weight_decay": draw(st.floats(min_value=0, allow_infinity=False)),
        "batch_size": draw(st.integers(1, catalogue.DATASETS[dataset].train_size)),
        "epochs": draw(st.integers(1, 1_000_000)),
        "seed": draw(st.integers(0, 2**31 - 1)),
        "device": draw(st.sampled_from(["auto", "cpu", "cuda", "cuda:7", "mps"])),
        "data_dir": draw(st.sampled_from([None, "/"])),
    }
    if given["init"] == "normal":
        given["init_std"] = draw(positive)
    if given["implementation"] == "concise":
        given["optimizer"] = draw(st.sampled_from(list(OPTIMIZERS)))
    if model == "mlp":
        given["hidden"] = draw(st.lists(st.integers(1, MAX_WIDTH), min_size=1, max_size=20))
        given["activation"] = draw(st.sampled_from(list(ACTIVATIONS)))
        given["dropout"] = draw(st.floats(0, 1, exclude_max=True))
    return resolve(given)


@given(configs())
def test_a_saved_run_is_the_run(config: RunConfig) -> None:
    text = to_toml(config)
    assert resolve(from_toml(text, "run.toml")) == config
    assert resolve(tomllib.loads(text)) == config


@given(st.text())
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(from_toml(text, "run.toml"), dict)


def test_a_saved_run_holds_the_fields_that_the_model_has() -> None:
    assert "hidden" not in to_toml(resolve({"model": "linear"}))
    assert "data_dir" not in to_toml(resolve({}))
    assert "hidden = [\n    256,\n    128,\n]" in to_toml(resolve({"hidden": "256,128"}))


def test_a_standard_deviation_is_saved_where_it_is_of_use() -> None:
    assert "init_std" not in to_toml(resolve({}))
    assert "init_std = 0.01\n" in to_toml(resolve({"init": "normal"}))
    # Older versions wrote it always.
    assert from_toml("init_std = 0.01\n", "run.toml") == {}
    assert from_toml("init = 'normal'\ninit_std = 0.01\n", "run.toml")["init_std"] == 0.01
    with pytest.raises(ConfigError, match=r"^init_std: 0\.5 is not allowed \(init default has no init_std\)"):
        resolve(from_toml("init_std = 0.5\n", "run.toml"))
    stored = resolve({"init": "xavier", "init_std": 0.5}, unused=True)
    assert resolve(from_toml(to_toml(stored), "run.toml"), unused=True) == stored


def message(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        from_toml(text, "run.toml")
    (problem,) = caught.value.problems
    assert problem.field == ""
    assert problem.message.startswith("config: run.toml")
    assert "\n" not in problem.message
    return problem.message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("lr = 0.1\nepochs = = 3\n", 2),
        ("model = 'mlp\n", 1),
        ("lr = 0.1\n\nhidden = [1, 2", 3),
        ("lr = 0.1\nlr = 0.2\n", 2),
        ("lr = 0.1\n\n[model\n", 3),
        ("\n\nlr: 0.1\n", 3),
    ],
)
def test_a_syntax_error_has_its_line(text: str, line: int) -> None:
    assert "is not valid TOML" in message(text)
    assert f"at line {line}" in message(text)


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("lr = 0.1\n\nlearning-rate = 1\n", "learning-rate", 3),
        ("# learning\nlr = 1\n  learning = 1\n", "learning", 3),
        ("learning-rates.x = 1\n", "learning-rates", 1),
        ("lr = 1\nepoch = 1\n", "epoch", 2),
        ("lr = 1\n\n[training]\nx = 1\n", "training", 3),
        ("lr = 1\n[[training]]\nx = 1\n", "training", 2),
        ("lr = 1\n'what is this!' = 1\n", "what is this!", 2),
        ("epochs = 1\nepochs-2 = 1\nepoch = 1\n", None, None),
    ],
)
def test_an_unknown_key_has_its_line(text: str, key: str | None, line: int | None) -> None:
    if key is not None:
        assert f"config: run.toml, line {line}: no such field: {key}" in message(text)
        return
    with pytest.raises(ConfigError) as caught:
        from_toml(text, "run.toml")
    assert [f"line {n}" in problem.message for n, problem in enumerate(caught.value.problems, 2)] == [True, True]


def test_an_unknown_key_gets_the_nearest_name() -> None:
    assert "epoch (did you mean epochs?); allowed: model, " in message("epoch = 3")


def test_a_key_that_cannot_be_found_again_has_no_line() -> None:
    assert message('"\\u0061bc" = 1').startswith("config: run.toml: no such field: abc")


def test_numbers_and_brackets_without_end() -> None:
    assert "4300 digits" in message("lr = " + "9" * 5000)
    assert "brackets" in message("hidden = " + "[" * 20_000)


@pytest.mark.parametrize("text", ["lr = true", "lr = 1979-05-27", "lr = nan", "lr = [1]", "lr = {a = 1}", "[lr]"])
def test_a_value_of_another_kind_is_a_wrong_value(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^lr: .* is not allowed; allowed: a finite number greater than 0$"):
        resolve(from_toml(text, "run.toml"))


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(resolve({"model": "softmax", "lr": 0.5})), encoding="utf-8")
    assert resolve(read_toml(path)) == resolve({"model": "softmax", "lr": 0.5})


def test_an_empty_file_is_the_default_run(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.touch()
    assert resolve(read_toml(path)) == resolve({})


def test_a_file_from_an_editor_that_marks_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(b"\xef\xbb\xbflr = 0.5\n")
    assert read_toml(path) == {"lr": 0.5}


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes("# größer\n".encode("latin-1"))
    for path, reason in (
        (tmp_path / "none.toml", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (latin, "it is not UTF-8 text"),
        (Path("zero\0byte"), "no file can have this name"),
    ):
        with pytest.raises(ConfigError) as caught:
            read_toml(path)
        assert str(caught.value) == f"config: {printable(path)} cannot be read ({reason})"


# Files that are there to do harm


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_toml(path)
    said = [problem.message for problem in caught.value.problems]
    assert all(message.startswith("config: ") and message.isprintable() and len(message) < 600 for message in said)
    return "\n".join(said)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero"), Path("/dev/null"), Path("/dev/tty")):
        assert refused(path).startswith(f"config: {path} cannot be read (")
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert "cannot be read (" in refused(tmp_path / "socket")


def test_no_more_is_read_than_a_run_can_take(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    with path.open("wb") as file:
        file.truncate(10**12)  # sparse
    assert refused(path) == (
        f"config: {path} cannot be read (it has 1,000,000,000,000 bytes or more, and a configuration at most 16,384)"
    )
    path.write_text("lr = 1\n" + "#" * (MAX_BYTES - 7))
    assert read_toml(path) == {"lr": 1}
    path.write_text("lr = 1\n" + "#" * MAX_BYTES)
    assert "16,391 bytes or more" in refused(path)
    assert "4,300,000" not in refused(Path("/proc/self/maps"))  # whose size is said to be 0


@pytest.mark.parametrize("size", [MAX_BYTES - 1, 10**6])
@pytest.mark.parametrize(
    "unit", ["a{n}=1\n", "hidden", "[", "a.", "[a.", "{{a=", "a = {{b = ", '"', "x" * 999 + "{n} = 1\n", "\0", "lr=1\n"]
)
def test_bombs_are_told_in_a_few_sentences(tmp_path: Path, unit: str, size: int) -> None:
    path = tmp_path / "run.toml"
    begin = "hidden = '" if unit == "hidden" else ""
    content = "".join(unit.format(n=n) for n in range(size // len(unit)))
    path.write_text(begin + content[: size - 20] + ("'" if begin else ""))
    with pytest.raises(ConfigError) as caught:
        resolve(read_toml(path))
    assert len(caught.value.problems) <= 6
    assert all(len(problem.message) < 600 for problem in caught.value.problems)


def test_many_unknown_keys_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("".join(f"key{n} = {n}\n" for n in range(1000)))
    told = refused(path).splitlines()
    assert len(told) == 6
    assert told[-1] == f"config: {path}: 995 more unknown keys"


def test_a_list_of_200_decimal_numbers_is_none_too_many() -> None:
    assert from_toml(f"hidden = [{', '.join(['64.0'] * 200)}]", "run.toml")["hidden"] == [64.0] * 200


def test_nothing_from_a_file_reaches_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "run\x1b]0;x\x07.toml"
    for text in (
        '"\\u001b]52;c;eA==\\u0007" = 1',
        'dataset = "\\u001b[2J\\u202e"',
        'device = "\\u009b2J"',
        'data_dir = "/\\u001b]0;x\\u0007"',
        "lr = '\x1b[2J'",
        "hidden = ['\u202e']",
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            resolve(read_toml(path))
        assert str(caught.value).isprintable()

"""The command line, without training: options, help, and what is said of wrong ones."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from d2ltui import __version__
from d2ltui.cli import app
from d2ltui.runner import headless
from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.config_file import to_toml
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.models import MODELS
from d2ltui.spec.optimizers import OPTIMIZERS


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """The runs that `train` would have trained."""
    configs: list[RunConfig] = []

    def train(config: RunConfig, as_json: bool, quiet: bool, **options: object) -> int:
        configs.append(config)
        return 0

    monkeypatch.setattr(headless, "train", train)
    return configs


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--lr 0", "lr: '0' is not allowed; allowed: a finite number greater than 0"),
        ("--lr -1", "lr: '-1' is not allowed; allowed: a finite number greater than 0"),
        ("--lr nan", "lr: 'nan' is not allowed; allowed: a finite number greater than 0"),
        ("--batch-size 0", "batch-size: '0' is not allowed; allowed: a whole number, 1 or more"),
        ("--batch-size 9999", "batch-size: 9999 is not allowed; allowed: 1 to 1437, the training samples of digits"),
        ("--hidden=", "hidden: '' is not allowed; allowed: 1 to 200 whole numbers from 1 to 65536, separated by"),
        ("--hidden 0", "hidden: '0' is not allowed; allowed: 1 to 200 whole numbers from 1 to 65536, separated by"),
        ("--hidden wide", "hidden: 'wide' is not allowed; allowed: 1 to 200 whole numbers from 1 to 65536"),
        ("--epochs 0", "epochs: '0' is not allowed; allowed: a whole number from 1 to 1000000"),
        ("--model mpl", "model: 'mpl' is not allowed (did you mean mlp?); allowed: linear, softmax, mlp"),
        ("--dataset digit", "dataset: 'digit' is not allowed (did you mean digits?); allowed: synthetic-linear, "),
        ("--activation rellu", "activation: 'rellu' is not allowed (did you mean relu?); allowed: identity, "),
        ("--device gpu", "device: 'gpu' is not allowed; allowed: auto, cpu, cuda, cuda:N, mps"),
        ("--data-dir /no/such", "data-dir: '/no/such' is not allowed (there is no such directory); allowed: an "),
        ("--implementation scratch --optimizer adam", "optimizer: 'adam' is not allowed (the from-scratch "),
        ("--model softmax --hidden 3", "hidden: '3' is not allowed (model softmax has no hidden); allowed: with "),
        ("--init-std 1", "init-std: '1' is not allowed (init default has no init_std); allowed: with init normal"),
        ("--dataset iris", "dataset: 'iris' is not allowed; allowed: synthetic-linear, "),
        ("--config /no/such.toml", "config: /no/such.toml cannot be read (No such file or directory)"),
        ("--config /dev/zero", "config: /dev/zero cannot be read (it is a device, not a file)"),
        (
            "--learning-rate 1",
            "option: '--learning-rate' is not known (did you mean --lr?); allowed: ",
        ),
        ("--batchsize 1", "option: '--batchsize' is not known (did you mean --batch-size?); allowed: "),
        ("--lr", "lr: its value is missing; allowed: --lr F; see d2ltui train --help"),
        ("--json=yes", "json: a value is not allowed; allowed: --json alone"),
        ("digits", "train: 'digits' is not allowed; allowed: options alone, see d2ltui train --help"),
    ],
)
def test_a_wrong_value_is_one_sentence_and_nothing_is_trained(  # type: ignore[no-untyped-def]
    command, trained: list[RunConfig], arguments: str, said: str
) -> None:
    status, out, err = command("train", *arguments.split())
    assert (status, out, trained) == (2, "", [])
    assert err.startswith("d2ltui: ")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("show-activation", "show-activation: NAME is missing; allowed: identity, sigmoid, tanh, relu"),
        ("show", "show: RUN is missing; allowed: the name of a stored run ('d2ltui runs' lists them), or latest"),
        ("export", "export: RUN is missing; allowed: the name of a stored run"),
        (
            "find-lr --epochs 3",
            "epochs: --epochs has no effect here: find-lr takes as many steps as it needs; ",
        ),
        ("--lr", "lr: its value is missing; allowed: --lr F; see d2ltui --help"),
        ("--schedule cosine find-lr", "schedule: --schedule has no effect here: find-lr has rates of its own"),
    ],
)
def test_what_is_missing_or_in_vain_is_named(command, arguments: str, said: str) -> None:  # type: ignore[no-untyped-def]
    status, out, err = command(*arguments.split())
    assert (status, out) == (2, "")
    assert err.startswith(f"d2ltui: {said}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        "train --dataset fashion-mnist",
        "train --dataset mnist --seeds 2",
        "--dataset mnist",
        "sweep --dataset fashion-mnist,digits --epochs 1",
        "lessons dropout",
        "lessons all",
    ],
)
def test_a_wrong_data_directory_of_the_environment(  # type: ignore[no-untyped-def]
    command, trained: list[RunConfig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: str
) -> None:
    monkeypatch.setenv("D2LTUI_DATA_DIR", "/no/such/directory")
    status, out, err = command(*arguments.split())
    assert (status, out, trained, err.count("\n")) == (2, "", [], 1)
    assert "D2LTUI_DATA_DIR: '/no/such/directory' is not allowed (there is no such directory); allowed: an " in err
    assert command("train", "--dataset", "digits")[0] == 0  # it does not need it
    assert "softmax" in command("lessons")[1]
    assert command("train", "--dataset", "mnist", "--data-dir", str(tmp_path))[0] == 0


@pytest.mark.parametrize("arguments", ["--lr 0", "--model mpl", "--config /no/such.toml", "--hidden ,"])
def test_the_application_says_the_same_before_it_opens(command, arguments: str) -> None:  # type: ignore[no-untyped-def]
    status, out, err = command(*arguments.split())
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err == command("train", *arguments.split())[2]


def test_every_wrong_value_has_its_sentence(command) -> None:  # type: ignore[no-untyped-def]
    status, _, err = command("train", "--lr", "0", "--epochs", "0")
    assert status == 2
    assert [line.split()[1] for line in err.splitlines()] == ["lr:", "epochs:"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("lr = 0.1\nlearning = 1\n", "line 2: no such field: learning"),
        ("lr = 0.1\nepoch = 1\n", "line 2: no such field: epoch (did you mean epochs?)"),
        ("lr = 0.1\nepochs = = 1\n", "at line 2"),
        ("lr = 0\n", "run.toml, line 1: lr: 0 is not allowed"),
        ("epochs = 1\nlr = nan\n", "run.toml, line 2: lr: nan is not allowed"),
        ("batch_size = 0\n", "line 1: batch_size: 0 is not allowed"),
        ("\n# few\nbatch_size = 9999\n", "line 3: batch_size: 9999 is not allowed"),
        ("hidden = []\n", "hidden: [] is not allowed"),
        ("hidden = [0]\n", "hidden: [0] is not allowed"),
        ("hidden = 'wide'\n", "hidden: 'wide' is not allowed"),
        ("epochs = 0\n", "epochs: 0 is not allowed"),
        ("model = 'mpl'\n", "(did you mean mlp?)"),
        ("data_dir = '/no/such'\n", "data_dir: '/no/such' is not allowed"),
    ],
)
def test_a_wrong_file_is_one_sentence(  # type: ignore[no-untyped-def]
    command, trained: list[RunConfig], tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "run.toml"
    path.write_text(content)
    status, out, err = command("train", "--config", str(path))
    assert (status, out, trained, err.count("\n")) == (2, "", [], 1)
    assert err.startswith(f"d2ltui: config: {path}")
    assert said in err


def test_a_wrong_option_beside_a_file_is_the_option_s(command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "run.toml"
    path.write_text("lr = 0.5\nepochs = 0\nbatch_size = 8\n")
    allowed = "allowed: a whole number, 1 or more"
    for before in (("train",), ("sweep", "--lr", "0.1,0.2")):
        status, out, err = command(*before, "--config", str(path), "--batch-size", "0")
        assert (status, out) == (2, "")
        lines = sorted(err.splitlines())
        assert lines[0] == f"d2ltui: batch-size: '0' is not allowed; {allowed}"
        if before == ("train",):
            assert lines[1].startswith(f"d2ltui: config: {path}, line 2: epochs: 0 is not allowed; allowed: ")
    status, _, err = command("sweep", "--lr", "0.1,0.2", "--config", str(path))
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"d2ltui: config: {path}, line 2: epochs: 0 is not allowed; allowed: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("lessons dropout softmax", "NAME: 'softmax' is not allowed beside 'dropout'; allowed: one NAME|all"),
        ("show one two", "RUN: 'two' is not allowed beside 'one'; allowed: one RUN"),
        ("watch one two", "RUN: 'two' is not allowed beside 'one'; allowed: one RUN"),
        ("models mlp", "models: 'mlp' is not allowed; allowed: options alone, see d2ltui models --help"),
        ("sweep --lr 1 2", "sweep: '2' is not allowed; allowed: options alone, see d2ltui sweep --help"),
    ],
)
def test_a_word_too_many(command, arguments: str, said: str) -> None:  # type: ignore[no-untyped-def]
    assert command(*arguments.split()) == (2, "", f"d2ltui: {said}\n")


def test_options_and_file_describe_the_same_run(  # type: ignore[no-untyped-def]
    command, trained: list[RunConfig], tmp_path: Path
) -> None:
    config = resolve(
        {"model": "mlp", "dataset": "moons", "hidden": "64,32", "activation": "tanh", "lr": 0.25, "dropout": 0.1}
    )
    path = tmp_path / "run.toml"
    path.write_text(to_toml(config))
    command("train", "--config", str(path))
    options = "--model mlp --dataset moons --hidden 64,32 --activation tanh --lr 0.25 --dropout 0.1"
    command("train", *options.split())
    assert trained == [config, config]


def test_options_win_over_the_file(command, trained: list[RunConfig], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "run.toml"
    path.write_text("lr = 0.5\nepochs = 7\n")
    command("train", "--config", str(path), "--lr", "0.25")
    (config,) = trained
    assert (config.lr, config.epochs) == (0.25, 7)


def test_run_options_may_stand_before_the_command(command, trained: list[RunConfig]) -> None:  # type: ignore[no-untyped-def]
    command("--lr", "0.5", "--epochs", "7", "train", "--lr", "0.25")
    (config,) = trained
    assert (config.lr, config.epochs) == (0.25, 7)


@pytest.mark.parametrize(
    "flag", ["--json", "--start", "--exit-when-done", "--no-store", "--max-fps=2", "--on-hangup=stop"]
)
def test_flags_of_the_application_are_not_lost_in_silence(  # type: ignore[no-untyped-def]
    command, trained: list[RunConfig], flag: str
) -> None:
    status, _, err = command(flag, "train")
    assert (status, trained, err.count("\n")) == (2, [], 1)
    assert err.startswith(f"d2ltui: {flag[2:].partition('=')[0]}: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--lr 3 runs", "lr: --lr before 'runs' is not allowed; allowed: before commands that train"),
        ("--hidden 3 watch latest", "hidden: --hidden before 'watch' is not allowed"),
        ("--config x.toml models", "config: --config before 'models' is not allowed"),
        ("--data-dir /tmp lessons dropout", "data-dir: --data-dir before 'lessons' is not allowed; allowed: after it"),
        ("--json", "json: --json alone is not allowed; allowed: with --exit-when-done"),
        ("lessons --seeds 3", "seeds: --seeds is not allowed without a lesson; allowed: with NAME or all"),
        ("lessons --data-dir /tmp", "data-dir: --data-dir is not allowed without a lesson; allowed: with NAME or all"),
    ],
)
def test_nothing_that_is_typed_is_dropped_in_silence(command, arguments: str, said: str) -> None:  # type: ignore[no-untyped-def]
    status, out, err = command(*arguments.split())
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"d2ltui: {said}")


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--dataset", "{}"),
        ("train", "--device", "cuda:{}"),
        ("train", "--seeds", "{}"),
        ("train", "--on-hangup", "{}"),
        ("train", "--max-fps", "{}"),
        ("train", "--{}", "1"),
        ("train", "{}"),
        ("train", "--config", "{}"),
        ("train", "--data-dir", "{}"),
        ("train", "--resume", "{}"),
        ("--max-fps", "{}"),
        ("{}",),
        ("lessons", "{}"),
        ("lessons", "dropout", "{}"),
        ("show", "{}"),
        ("show", "latest", "{}"),
        ("runs", "{}=1"),
        ("runs", "status={}"),
        ("runs", "lr>{}"),
        ("export", "{}", "--csv"),
        ("sweep", "--lr", "1,{}"),
        ("sweep", "--lr", "1,2", "{}"),
    ],
)
def test_words_of_20_000_characters_and_of_control(  # type: ignore[no-untyped-def]
    command, trained: list[RunConfig], d2ltui_home: Path, arguments: tuple[str, ...]
) -> None:
    for word in ("x" * 20_000, "\x1b]52;c;eA==\x07", "\x9b2J\u202e\n\udc9b", "9" * 20_000):
        status, _, err = command(*(part.format(word) for part in arguments))
        assert status in ((0, 2) if arguments[0] == "runs" else (2,))  # a word may be part of a name
        assert trained == []
        assert len(err) < 1500
        assert all(line.isprintable() for line in err.split("\n"))
        assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [[], ["train"], ["models"], ["datasets"]])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(command, arguments: list[str], option: str) -> None:  # type: ignore[no-untyped-def]
    status, out, err = command(*arguments, option)
    assert (status, err) == (0, "")
    assert out.startswith("Usage: d2ltui")
    if arguments in ([], ["train"]):
        for field in FIELDS.values():
            assert field.option in out
        assert "--config" in out


def test_the_list_of_commands_cuts_nothing_off(command) -> None:  # type: ignore[no-untyped-def]
    listed = command("--help")[1].partition("Commands:\n")[2]
    assert [line.split()[0] for line in listed.splitlines()] == sorted(app.cli.commands)
    assert "..." not in listed


def test_version(command) -> None:  # type: ignore[no-untyped-def]
    assert command("--version") == (0, f"d2ltui {__version__}\n", "")


def test_models(command) -> None:  # type: ignore[no-untyped-def]
    status, out, err = command("models")
    assert (status, err) == (0, "")
    for name, model in MODELS.items():
        assert f"{name}: {model.title}" in out
        for dataset in catalogue.datasets_for(name):
            assert f"on {dataset}: " in out
    for field in ("dropout 0.0", "weight_decay 0.0", "init default"):
        assert field in out.partition("mlp: ")[2].partition("on digits: ")[2].splitlines()[0]
    shown = next(line for line in out.splitlines() if "on synthetic-linear: " in line)
    assert "optimizer sgd, lr 0.03, schedule constant, " in shown
    assert "weight_decay 0.0, batch_size 32, epochs 3, init default" in shown
    for table in (ACTIVATIONS, catalogue.INITS, OPTIMIZERS, catalogue.IMPLEMENTATIONS):
        for name in table:
            assert name in out


def test_datasets(command) -> None:  # type: ignore[no-untyped-def]
    status, out, err = command("datasets")
    assert (status, err) == (0, "")
    for name, data in catalogue.DATASETS.items():
        assert f"{name}: {data.description}" in out
        assert (
            f"{data.train_size:,} train + {data.val_size:,} validation samples; normalisation: {data.normalisation}"
            in out
        )


@pytest.mark.parametrize(("typed", "meant"), [("trian", "train"), ("model", "models"), ("dataset", "datasets")])
def test_an_unknown_command(command, typed: str, meant: str) -> None:  # type: ignore[no-untyped-def]
    status, out, err = command(typed)
    assert (status, out) == (2, "")
    assert {"train", "models", "datasets"} <= set(app.cli.commands)
    assert err == (
        f"d2ltui: command: '{typed}' is not known (did you mean {meant}?); allowed: {', '.join(app.cli.commands)}\n"
    )


@pytest.mark.parametrize("value", ["0", "-1", "61", "nan", "many"])
def test_frames_a_second(command, value: str) -> None:  # type: ignore[no-untyped-def]
    status, out, err = command("--max-fps", value)
    assert (status, out) == (2, "")
    assert err == f"d2ltui: max-fps: '{value}' is not allowed; allowed: a number greater than 0, up to 60\n"


def test_no_terminal(command, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "__stdin__", nothing)
        monkeypatch.setattr(sys, "__stderr__", None)
        status, out, err = command()
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "the application needs a terminal, and standard input and standard error are not one" in err
    assert "d2ltui train" in err


def test_the_default_learning_rate_is_the_optimisers_and_a_given_one_stays(
    command, trained: list[RunConfig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "run.toml"
    file.write_text('optimizer = "adam"\nlr = 0.1\n')
    for arguments in (["--optimizer", "adam"], ["--optimizer", "adam", "--lr", "0.1"], ["--config", str(file)]):
        assert command("train", *arguments)[0] == 0
    assert [config.lr for config in trained] == [catalogue.defaults("mlp", "digits", "adam")["lr"], 0.1, 0.1]
    # The application is told what was given: a default that follows another choice spares it.
    opened: list[frozenset[str]] = []
    monkeypatch.setattr(app, "_open_application", lambda config, typed, **options: opened.append(typed) or 0)
    command("--lr", "0.1")
    command("--config", str(file))
    command("--seed", "1")
    assert opened == [{"lr"}, {"lr", "optimizer"}, {"seed"}]

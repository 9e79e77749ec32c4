"""Random command lines: none ends in a traceback, none says more than a few sentences, each status is one of three."""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

import pytest

from d2ltui.cli import app, sweep
from d2ltui.cli import lessons as lessons_command
from d2ltui.cli.app import main
from d2ltui.runner import headless
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.text import printable
from tests.selection import long_after

SHARE = int(os.environ.get("D2LTUI_FUZZ", "400"))  # command lines; more for whoever has the time
COMMANDS = (
    "train", "sweep", "runs", "show", "compare", "watch", "export", "lessons", "models", "datasets", "trian", "",
)  # fmt: skip
FLAGS = (
    "--json", "--quiet", "--no-store", "--start", "--exit-when-done", "--csv", "--svg", "--code", "--weights", "--help",
    "--version", "-h", "-o", "--output", "--resume", "--seeds", "--max-fps", "--on-hangup", "--config", "--", "-",
    "--x",
)  # fmt: skip
WORDS = (
    "", "0", "1", "-1", "3", "1e9", "1e999", "nan", "0.5", "256,128", ",", "65536,65536", "relu", "mlp", "digits",
    "iris", "fashion-mnist", "adam", "normal", "scratch", "cpu", "cuda:7", "cuda:99999", "auto", "latest", "all",
    "dropout", "lr>=0.1", "lr=", "=", "status=finished", "model=mlp", "/dev/zero", "/dev/null", "/", ".", "no/such",
    "~nosuchuser/x", "x" * 20_000, "9" * 20_000, "\x1b]52;c;eA==\x07",
    "\u202eabc", "\udcff", "a\nb", "é", "--lr", "stop", "continue",
)  # fmt: skip


def command_line(random: random.Random) -> list[str]:
    """Options and values, most of them in an order that could be meant."""
    words: list[str] = []
    options = [field.option for field in FIELDS.values()]
    for place in ("before", "command", "after"):
        if place == "command":
            words.append(random.choice(COMMANDS))
            continue
        for _ in range(random.choice((0, 0, 1, 2)) if place == "before" else random.randrange(4)):
            kind = random.randrange(5)
            if kind < 3:
                option = random.choice(options)
                field = FIELDS[option[2:].replace("-", "_")]
                value = random.choice([*field.choices, *WORDS])
                words += [f"{option}={value}"] if random.random() < 0.5 else [option, value]
            else:
                words.append(random.choice(FLAGS if kind == 3 else WORDS))
    return words


@pytest.fixture
def nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headless, "train", lambda *given, **more: 0)
    monkeypatch.setattr(sweep, "train_all", lambda *given, **more: 0)
    monkeypatch.setattr(app, "_open_application", lambda *given, **more: 0)
    monkeypatch.setattr(lessons_command, "measure", lambda *given: 0)


@pytest.mark.usefixtures("nothing_is_trained")
@pytest.mark.parametrize("seed", long_after(1, range(4)))
def test_no_command_line_ends_in_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, seed: int
) -> None:
    monkeypatch.chdir(tmp_path)  # what --output makes
    chance = random.Random(seed)
    statuses: set[int] = set()
    for _ in range(SHARE // 4):
        words = command_line(chance)
        # As a process gets them: without zero bytes, and what is not UTF-8 as surrogates.
        monkeypatch.setattr(sys, "argv", ["d2ltui", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capfd.readouterr()
        told = [printable(word, 40) for word in words]
        assert stop.value.code in (0, 1, 2), told
        assert isinstance(stop.value.code, int)
        statuses.add(stop.value.code)
        assert "Traceback" not in err, told
        assert (err == "") == (stop.value.code == 0), (told, err)
        lines = err.removesuffix("\n").split("\n") if err else []
        assert all(line.startswith("d2ltui: ") and line.isprintable() and len(line) < 1000 for line in lines), (
            told,
            err,
        )
        assert len(lines) <= len(FIELDS)
        assert all(line.isprintable() for line in out.split("\n")), told
    assert statuses >= {0, 2}


VALID: dict[str, tuple[str, ...]] = {
    "hidden": ("1", "3", "8,4", "2,2,2,2"),
    "activation": tuple(FIELDS["activation"].choices),
    "init": tuple(FIELDS["init"].choices),
    "init_std": ("1e-30", "0.5", "1e30"),
    "optimizer": tuple(FIELDS["optimizer"].choices),
    "implementation": tuple(FIELDS["implementation"].choices),
    "lr": ("1e-30", "0.1", "1e30"),
    "weight_decay": ("0", "1", "1e30"),
    "dropout": ("0", "0.5", "0.999"),
    "batch_size": ("50", "300"),
    "seed": ("0", "2147483647"),
}


@pytest.mark.parametrize("seed", long_after(1, range(2)))
def test_a_valid_command_line_trains_and_its_status_is_the_run_s(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], seed: int
) -> None:
    chance = random.Random(seed)
    statuses: set[str] = set()
    for _ in range(SHARE // 20):
        model = chance.choice(("linear", "softmax", "mlp"))
        dataset = chance.choice(
            [d for d in ("synthetic-linear", "moons", "diabetes") if (d != "moons") == (model == "linear")]
        )
        words = f"train --model {model} --dataset {dataset} --epochs 1 --device cpu --quiet --json".split()
        words += [] if chance.random() < 0.2 else ["--no-store"]
        for name in chance.sample(list(VALID), 4):
            words.append(f"{FIELDS[name].option}={chance.choice(VALID[name])}")
        monkeypatch.setattr(sys, "argv", ["d2ltui", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capfd.readouterr()
        if stop.value.code == 2:
            assert out == "", words
            assert all(" is not allowed" in line for line in err.splitlines()), words
            continue
        found = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
        statuses.add(found["status"])
        assert stop.value.code == {"finished": 0, "diverged": 1}[found["status"]], words
        grave = [finding for finding in found["findings"] if finding["severity"] != "note"]
        told = [line for line in err.splitlines() if not line.startswith("    ")]
        causes = [finding for finding in grave if not finding["because_of"]]
        assert len(told) == (found["status"] == "diverged") + len(causes), words
    assert statuses == {"finished", "diverged"}

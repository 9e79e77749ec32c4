"""What other packages bring by entry points: one file each, and everything works with it."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from d2ltui.spec.activations import ACTIVATIONS, Activation
from d2ltui.spec.activations import check_activation as check_one_activation
from d2ltui.spec.models import MODELS
from d2ltui.spec.optimizers import OptimizerSpec, check_optimizer
from d2ltui.spec.registry import Registry, load_object
from tests import processes

PLUGINS = Path(__file__).parents[1] / "plugins"
# All commands in one process: PyTorch takes seconds to import.
# "stopped" before one of them presses Ctrl-C as soon as there is a new checkpoint; "form" lists what the form offers.
RUN = """
import json, os, signal, sys, threading, time
from pathlib import Path
import click
from click.testing import CliRunner
from d2ltui.cli import app

@app.cli.command()
@click.argument("field")
def form(field):
    from d2ltui.spec.config import resolve
    from d2ltui.tui.form_state import FormState
    from d2ltui.tui.widgets.setup import make_field
    state = FormState(resolve({}))
    if field != "model":
        make_field(field, state)
    click.echo(" ".join(state.choices(field)))

def checkpoints():
    return set(Path(os.environ["D2LTUI_HOME"]).rglob("checkpoint*"))

def press(before):
    while checkpoints() <= before:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)

results = []
for arguments in json.loads(sys.argv[1]):
    if arguments[0] == "stopped":
        threading.Thread(target=press, args=[checkpoints()], daemon=True).start()
        del arguments[0]
    result = CliRunner().invoke(app.cli, arguments)
    results.append((result.exit_code, result.stdout, result.stderr))
print(json.dumps(results))
"""


Result = tuple[int, str, str]  # exit status, standard output, standard error


def run(site: Path, home: Path, points: Sequence[tuple[str, str]], commands: Mapping[str, str]) -> dict[str, Result]:
    """Runs `commands`, by names to find their results by, with packages in `site` that have the entry points `points`:
    groups and references.
    """
    site.mkdir()
    for plugin in PLUGINS.glob("*.py"):
        shutil.copy(plugin, site)
    for number, (group, reference) in enumerate(points):
        module = reference.partition(":")[0]
        info = site / f"{module}{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{module} = {reference}\n")
    done = processes.run(
        ["-c", RUN, json.dumps([command.split() for command in commands.values()])],
        110,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(site), str(PLUGINS.parents[1])]),
            "D2LTUI_HOME": str(home),
        },
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    return {command: tuple(result) for command, result in zip(commands, results, strict=True)}


def report(result: Result, status: int = 0) -> dict[str, Any]:
    """What `--json` has printed."""
    assert result[0] == status, result
    found: dict[str, Any] = json.loads(result[1].splitlines()[-1])
    return found


GOOD = (
    ("d2ltui.activations", "mish_plugin:MISH"),
    ("d2ltui.datasets", "rings_plugin:RINGS"),
    ("d2ltui.models", "strided_plugin:STRIDED"),
    ("d2ltui.optimizers", "lion_plugin:LION"),
    ("d2ltui.inits", "lion_plugin:ORTHOGONAL"),
    ("d2ltui.rules", "doctor_plugin:SHRINKS"),
    ("d2ltui.lessons", "doctor_plugin:SMALL_BATCHES"),
)
TRAIN = "train --dataset circles --hidden 16 --epochs 5 --json"
COMMANDS = {
    "models": "models",
    "data sets": "datasets",
    "lessons": "lessons",
    "help": "train --help",
    "form dataset": "form dataset",
    "form model": "form model",
    "mish": f"{TRAIN} --activation mish",
    "mish shown": "show latest",
    "mish as code": "export latest --code",
    "mish from scratch": f"{TRAIN} --activation mish --implementation scratch --init normal",
    "mishh": "train --activation mishh",
    "rings stopped": "stopped train --dataset rings --epochs 300 --json",
    "rings resumed": "train --resume latest --json",
    "rings shown": "show latest",
    "rings as code": "export latest --code",
    "rings as csv": "export latest --csv",
    "rings": "train --dataset rings --json",
    "rings from scratch": "train --dataset rings --implementation scratch --epochs 2 --json",
    "rings too large": "train --dataset rings --batch-size 301",
    "ring": "train --dataset ring",
    "strided stopped": "stopped train --model strided --epochs 6 --json",
    "strided resumed": "train --resume latest --json",
    "strided": "train --model strided --json --epochs 8",
    "strided otherwise": "train --model strided --json --epochs 1 --optimizer adamw --weight-decay 0.1 --clip-norm 1",
    "strided shown": "show latest",
    "strided as code": "export latest --code",
    "strided weights": "export latest --weights -o {weights}",
    "strided as csv": "export latest --csv",
    "strided from scratch": "train --model strided --implementation scratch",
    "strided on moons": "train --model strided --dataset moons",
    "strided with hidden": "train --model strided --hidden 4",
    "stride": "train --model stride",
    "lion stopped": f"stopped {TRAIN} --optimizer lion --epochs 120",
    "lion resumed": "train --resume latest --json",
    "lion": f"{TRAIN} --optimizer lion --epochs 50 --lr 0.01",
    "lion slowly": f"{TRAIN} --optimizer lion --momentum 0.5",
    "lion decaying": f"{TRAIN} --optimizer lion --weight-decay 1 --clip-norm 1 --schedule step",
    "orthogonal": f"{TRAIN} --init orthogonal",
    "orthogonal from scratch": f"{TRAIN} --init orthogonal --implementation scratch",
    "orthogonal with sd": f"{TRAIN} --init orthogonal --init-std 0.1",
    "decaying": f"{TRAIN} --weight-decay 0.3",
    "decaying shown": "show latest",
    "not decaying": TRAIN,
    "not decaying shown": "show latest",
    "lesson": "lessons small-batches --seeds 1",
    "lesso": "lessons small-batche",
}


@pytest.mark.long
def test_what_other_packages_bring_is_like_any_other(
    tmp_path: Path, d2ltui_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = {name: command.format(weights=tmp_path / "weights.pt") for name, command in COMMANDS.items()}
    results = run(tmp_path / "site", d2ltui_home, GOOD, commands)
    check_activation(results)
    check_data_set(results)
    check_model(results)
    check_optimiser(results)
    check_initialisation(results)
    check_rule(results)
    check_lesson(results)
    monkeypatch.syspath_prepend(str(PLUGINS))
    monkeypatch.chdir(tmp_path)
    check_code_of_model(results["strided as code"][1], Path("weights.pt"))


def check_activation(good: dict[str, Result]) -> None:
    assert "mish       x · tanh(log(1 + eˣ)), a smooth ReLU" in good["models"][1]
    for name in ("mish", "mish from scratch"):
        assert report(good[name])["status"] == "finished"
    assert "Mish" in good["mish shown"][1]
    assert "nn.Mish()" in good["mish as code"][1]
    assert "from mish_plugin import mish" in good["mish as code"][1]
    assert good["mishh"][0] == 2
    assert "did you mean mish?" in good["mishh"][2]


def check_data_set(good: dict[str, Result]) -> None:
    assert "rings" in good["form dataset"][1].split()
    assert "rings" in good["help"][1]
    assert "rings: three rings around one centre" in good["data sets"][1]
    assert "300 train + 90 validation samples; normalisation: none" in good["data sets"][1]
    assert report(good["rings stopped"], 130)["status"] == "stopped"
    whole = report(good["rings resumed"])
    assert (whole["status"], whole["steps"]) == ("finished", 300 * 10)
    assert "rings" in good["rings shown"][1]
    assert "# three rings around one centre; normalisation: none" in good["rings as code"][1]
    assert "data = load(resolve({" in good["rings as code"][1]  # which only its package can make
    assert "nn.Linear(2, 256)" in good["rings as code"][1]
    assert len(good["rings as csv"][1].splitlines()) == 1 + whole["steps"]
    # Nobody has chosen any settings for it: the usual ones learn it.
    assert report(good["rings"])["val_accuracy"] > 0.95
    assert report(good["rings from scratch"])["status"] == "finished"
    assert good["rings too large"][0] == 2
    assert "allowed: 1 to 300, the training samples of rings" in good["rings too large"][2]
    assert "did you mean rings?" in good["ring"][2]


def check_model(good: dict[str, Result]) -> None:
    assert "strided" in good["form model"][1].split()
    assert "strided: Strided (section 8.5)" in good["models"][1]
    assert "two convolutions behind a batch normalisation" in good["models"][1]
    assert report(good["strided stopped"], 130)["status"] == "stopped"
    ended = report(good["strided resumed"])
    assert (ended["status"], ended["epochs"]) == ("finished", 6)
    assert report(good["strided"])["val_accuracy"] > 0.85
    assert report(good["strided otherwise"])["status"] == "finished"
    assert "strided" in good["strided shown"][1]
    assert len(good["strided as csv"][1].splitlines()) > 1
    for name, said in {
        "strided from scratch": "'scratch' is not allowed; allowed: with model strided, concise",
        "strided on moons": "'moons' is not allowed (moons has no pictures); allowed: with model strided, digits",
        "strided with hidden": "hidden: '4' is not allowed (model strided has no hidden)",
        "stride": "did you mean strided?",
    }.items():
        assert good[name][0] == 2, good[name]
        assert said in good[name][2]


def check_code_of_model(code: str, weights: Path) -> None:
    """It loads the weights that were exported."""
    MODELS.register(load_object("strided_plugin:STRIDED"))
    names: dict[str, Any] = {}
    try:
        exec(compile(code, "exported", "exec"), names)
    finally:
        MODELS.forget("strided")
    assert tuple(names["net"](torch.zeros(2, 1, 8, 8)).shape) == (2, 10)
    assert not names["net"].training
    saved = torch.load(weights, weights_only=True)
    assert int(saved["norm.num_batches_tracked"]) == 45  # one epoch of 1,437 samples in batches of 32


def check_optimiser(good: dict[str, Result]) -> None:
    assert "lion       steps in the direction of the momentum's signs" in good["models"][1]
    assert report(good["lion stopped"], 130)["status"] == "stopped"
    ended = report(good["lion resumed"])
    assert (ended["status"], ended["epochs"]) == ("finished", 120)
    assert report(good["lion"])["val_accuracy"] > 0.9
    losses = {report(good[name])["train_loss"] for name in ("lion", "lion slowly", "lion decaying")}
    assert len(losses) == 3


def check_initialisation(good: dict[str, Result]) -> None:
    assert "orthogonal weights at right angles, biases zero" in good["models"][1]
    # The same weights, the same batches.
    losses = [report(good[name])["train_loss"] for name in ("orthogonal", "orthogonal from scratch")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    said = "init-std: '0.1' is not allowed (init orthogonal has no init_std); allowed: with init normal"
    assert said in good["orthogonal with sd"][2]


def check_rule(good: dict[str, Result]) -> None:
    assert "The first layer's weights have shrunk to" in " ".join(good["decaying shown"][1].split())
    assert "shrunk" not in good["not decaying shown"][1]


def check_lesson(good: dict[str, Result]) -> None:
    assert "Small batches take more steps" in good["lessons"][1]
    assert good["lesson"][0] == 0, good["lesson"]
    assert "more accurate with small batches by" in good["lesson"][1]
    assert good["lesso"][0] == 2
    assert "did you mean small-batches?" in good["lesso"][2]


BROKEN = {  # with the beginning of what is said of it
    "d2ltui.activations mish_plugin:NO_SUCH_NAME": "AttributeError: module 'mish_plugin' has no attribute",
    "d2ltui.activations mish_plugin:TAKEN": "ValueError: the name 'relu' is taken",
    "d2ltui.datasets broken_datasets_plugin:NO_CLASSES": "ValueError: classes: 0 names are not allowed; allowed: one",
    "d2ltui.datasets broken_datasets_plugin:NO_LOADER": "ValueError: loader: 'somewhere' is not of the form",
    "d2ltui.datasets broken_datasets_plugin:WRONG_KIND": "TypeError: it is a DatasetInfo and not a DatasetSource",
    "d2ltui.datasets broken_datasets_plugin:WRONG_SIZE": "ValidationError: Expected `int`, got `str` - at `$",
    "d2ltui.models strided_plugin:WRONG_FIELD": "ValueError: fields: 'temperature' is not allowed; allowed: hidden, ",
    "d2ltui.models strided_plugin:WRONG_DATA": "ValueError: default_dataset: the task of diabetes",
    "d2ltui.inits lion_plugin:LION": "TypeError: it is a OptimizerSpec and not a InitSpec",
}
FAILING = (
    ("d2ltui.models", "strided_plugin:WRONG_OUTPUTS"),
    ("d2ltui.models", "strided_plugin:FAILS"),
    ("d2ltui.models", "strided_plugin:NO_PLAN"),
    ("d2ltui.lessons", "doctor_plugin:FAILING"),
)
FAILED = {
    "outputs": (1, "model 'wrong-outputs': outputs of shape (2, 9) for 2 samples; allowed: (2, 10)"),
    "build": (1, "model 'fails' cannot be built: KeyError: 'no weights'"),
    "plan": (2, "model: 'no-plan' is not allowed here; KeyError: 'no weights'"),
    "lesson": (1, "not measured: KeyError: 'accuracy'; the traceback is in"),
}


def test_what_fails_is_left_out_or_told_in_a_sentence(tmp_path: Path, d2ltui_home: Path) -> None:
    points = [(group, reference) for group, _, reference in (point.partition(" ") for point in BROKEN)]
    commands = {
        "models": "models",
        "data sets": "datasets",
        "outputs": "train --model wrong-outputs --epochs 1",
        "build": "train --model fails --epochs 1",
        "plan": "train --model no-plan --epochs 1",
        "lesson": "lessons failing",
    }
    results = run(tmp_path / "site", d2ltui_home, (*points, *FAILING), commands)
    for point, why in BROKEN.items():
        group, _, reference = point.partition(" ")
        listed = results["data sets"] if "datasets" in group else results["models"]
        assert listed[0] == 0
        start = f"d2ltui: plug-in {reference.partition(':')[0]} ({group}) is left out: "
        said = [line.removeprefix(start) for line in listed[2].splitlines() if line.startswith(start)]
        assert any(line.startswith(why) for line in said), listed[2]
    assert "max(0, x)" in results["models"][1]
    assert "halfway" not in results["models"][1], "it came before the one that is refused"
    for name, (status, sentence) in FAILED.items():
        assert results[name][0] == status, results[name]
        assert sentence in " ".join((results[name][1] + results[name][2]).split())
        assert "Traceback" not in results[name][1] + results[name][2]


def test_names_are_given_once() -> None:
    registry: Registry[Activation] = Registry("d2ltui.nothing", Activation)
    item = Activation("one", "One", "x", "torch.nn:Identity")
    registry.register(item)
    with pytest.raises(ValueError, match="the name 'one' is taken"):
        registry.register(item)
    with pytest.raises(TypeError, match="it is a str and not a Activation"):
        registry.register("one")  # type: ignore[arg-type]
    assert list(registry) == ["one"]


ONE = Activation("one", "One", "x", "torch.nn:Identity")
NOT_OFFERED = [
    (ONE, {"name": 5}, "Expected `str`, got `int`"),
    (ONE, {"name": "a name\n"}, r"name: 'a name\\n' is not allowed"),
    (ONE, {"title": 5}, "Expected `str`, got `int`"),
    (ONE, {"formula": "\x1b[2J"}, "formula"),
    (ONE, {"module": "Identity"}, "module: 'Identity' is not of the form module:name"),
    (ONE, {"flat_ends": (1.0, 0.0)}, "flat_ends"),
    (OptimizerSpec("one", "one", "torch.optim:SGD", 0.1), {"lr": "fast"}, "Expected `float`, got `str`"),
    (OptimizerSpec("one", "one", "torch.optim:SGD", 0.1), {"lr": -1.0}, "lr: -1.0 is not allowed"),
    (OptimizerSpec("one", "one", "torch.optim:SGD", 0.1), {"make": "SGD"}, "make"),
    (OptimizerSpec("one", "one", "torch.optim:SGD", 0.1), {"fields": ("speed",)}, "fields: 'speed' is not allowed"),
]


@pytest.mark.parametrize(("good", "changed", "said"), NOT_OFFERED, ids=str)
def test_what_cannot_be_offered_is_not_registered(
    good: Activation | OptimizerSpec, changed: dict[str, Any], said: str
) -> None:
    check: Any = check_one_activation if isinstance(good, Activation) else check_optimizer
    registry: Registry[Any] = Registry("d2ltui.nothing", type(good), check)
    with pytest.raises((ValueError, msgspec.ValidationError), match=said):
        registry.register(msgspec.structs.replace(good, **changed))
    assert list(registry) == []
    registry.register(good)


def test_whoever_asks_while_plug_ins_are_loaded_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    registry: Registry[Activation] = Registry("d2ltui.nothing", Activation)
    begun, loaded = threading.Event(), threading.Event()

    def load() -> Activation:
        begun.set()
        assert "one" not in registry  # it may ask itself
        loaded.wait(10)
        return ONE

    monkeypatch.setattr("d2ltui.spec.registry.plugins", lambda group: [("slow", load)])
    with ThreadPoolExecutor() as pool:
        first = pool.submit(list, registry)
        assert begun.wait(10)
        second = pool.submit(list, registry)
        with pytest.raises(TimeoutError):
            second.result(0.2)
        loaded.set()
        assert first.result(10) == second.result(10) == ["one"]


def test_every_activation_can_be_made() -> None:
    for activation in ACTIVATIONS.values():
        if activation.name != "identity":
            assert load_object(activation.module)()
            assert callable(load_object(activation.scratch))

"""What other packages bring by entry points: one file each, and everything works with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from d2ltui.spec.activations import ACTIVATIONS, Activation
from d2ltui.spec.registry import Registry

PLUGINS = Path(__file__).parents[1] / "plugins"
# All commands in one process: PyTorch takes seconds to import.
# "stopped" before one of them presses Ctrl-C as soon as there is a checkpoint; "form" lists what the form offers.
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
    make_field(field, state)
    click.echo(" ".join(state.choices(field)))

def press():
    while not list(Path(os.environ["D2LTUI_HOME"]).rglob("checkpoint*")):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)

results = []
for arguments in json.loads(sys.argv[1]):
    if arguments[0] == "stopped":
        threading.Thread(target=press, daemon=True).start()
        del arguments[0]
    result = CliRunner().invoke(app.cli, arguments)
    results.append((result.exit_code, result.stdout, result.stderr))
print(json.dumps(results))
"""


@pytest.fixture
def installed(tmp_path: Path, d2ltui_home: Path):  # type: ignore[no-untyped-def]
    """A function that installs a file as a package with entry points, and runs commands with it."""
    site = tmp_path / "site"
    site.mkdir()

    def run(file: str, group: str, reference: str, *commands: str) -> list[tuple[int, str, str]]:
        for plugin in PLUGINS.glob("*.py"):  # only the one that is asked for has entry points
            shutil.copy(plugin, site)
        name = file.removesuffix(".py")
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {name}:{reference}\n")
        path = os.pathsep.join([str(site), str(PLUGINS.parents[1])])
        done = subprocess.run(
            [sys.executable, "-c", RUN, json.dumps([command.split() for command in commands])],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        )
        return [tuple(result) for result in json.loads(done.stdout.splitlines()[-1])]

    return run


def test_an_activation_of_another_package_is_one_like_any_other(installed) -> None:  # type: ignore[no-untyped-def]
    run = "train --dataset circles --activation mish --hidden 16 --epochs 3 --optimizer sgd --json"
    (models, concise, scratch, shown, code, resolved) = installed(
        "mish_plugin.py",
        "d2ltui.activations",
        "MISH",
        "models",
        run,
        run + " --implementation scratch --init normal",
        "show latest",
        "export latest --code",
        "train --activation mishh",
    )
    assert "mish       x · tanh(log(1 + eˣ)), a smooth ReLU" in models[1]
    for trained in (concise, scratch):
        assert trained[0] == 0, trained
        assert json.loads(trained[1].splitlines()[-1])["status"] == "finished"
    assert shown[0] == 0
    assert "Mish" in shown[1]
    assert "nn.Mish()" in code[1]
    assert resolved[0] == 2
    assert "did you mean mish?" in resolved[2]


def test_a_data_set_of_another_package_is_one_like_any_other(installed) -> None:  # type: ignore[no-untyped-def]
    (offered, help_, listed, stopped, resumed, shown, code, csv, trained, scratch, large, misspelt) = installed(
        "rings_plugin.py",
        "d2ltui.datasets",
        "RINGS",
        "form dataset",
        "train --help",
        "datasets",
        "stopped train --dataset rings --epochs 300 --json",
        "train --resume latest --json",
        "show latest",
        "export latest --code",
        "export latest --csv",
        "train --dataset rings --json",
        "train --dataset rings --implementation scratch --epochs 2 --json",
        "train --dataset rings --batch-size 301",
        "train --dataset ring",
    )
    assert "rings" in offered[1].split()
    assert "rings" in help_[1]
    assert "rings: three rings around one centre" in listed[1]
    assert "300 train + 90 validation samples; normalisation: none" in listed[1]
    assert json.loads(stopped[1].splitlines()[-1])["status"] == "stopped", stopped
    whole = json.loads(resumed[1].splitlines()[-1])
    assert (resumed[0], whole["status"]) == (0, "finished"), resumed
    assert whole["steps"] == 300 * 10
    assert shown[0] == 0
    assert "rings" in shown[1]
    assert "# rings: inputs of 2 numbers" in code[1]
    assert "nn.Linear(2, 256)" in code[1]
    assert len(csv[1].splitlines()) == 1 + whole["steps"]
    # Nobody has chosen any settings for it: the usual ones learn it.
    assert json.loads(trained[1].splitlines()[-1])["val_accuracy"] > 0.95, trained
    assert scratch[0] == 0, scratch
    assert large[0] == 2
    assert "allowed: 1 to 300, the training samples of rings" in large[2]
    assert "did you mean rings?" in misspelt[2]


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("NO_CLASSES", "ValueError: classes: 0 names are not allowed; allowed: one for each output"),
        ("NO_LOADER", "ValueError: loader: 'somewhere' is no reference of the form module:function"),
        ("WRONG_KIND", "TypeError: it is a DatasetInfo and not a DatasetSource"),
        ("WRONG_SIZE", "ValidationError: Expected `int`, got `str` - at `$.train_size`"),
    ],
)
def test_a_data_set_that_cannot_be_offered_is_left_out_and_named(
    installed,  # type: ignore[no-untyped-def]
    reference: str,
    said: str,
) -> None:
    (listed,) = installed("broken_datasets_plugin.py", "d2ltui.datasets", reference, "datasets")
    assert listed[0] == 0
    (sentence,) = [line for line in listed[2].splitlines() if "plugin" in line]
    assert sentence == f"d2ltui: plug-in broken_datasets_plugin (d2ltui.datasets) is left out: {said}"


def test_a_plug_in_that_fails_is_left_out_and_named(installed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (models,) = installed("mish_plugin.py", "d2ltui.activations", "NO_SUCH_NAME", "models")
    assert models[0] == 0
    assert "mish " not in models[1]
    (sentence,) = [line for line in models[2].splitlines() if "mish_plugin" in line]
    assert sentence.startswith("d2ltui: plug-in mish_plugin (d2ltui.activations) is left out: AttributeError")


def test_names_are_given_once() -> None:
    registry: Registry[Activation] = Registry("d2ltui.nothing", Activation)
    item = Activation("one", "One", "x", "torch.nn:Identity")
    registry.register(item)
    with pytest.raises(ValueError, match="the name 'one' is taken"):
        registry.register(item)
    with pytest.raises(TypeError, match="it is a str and not a Activation"):
        registry.register("one")  # type: ignore[arg-type]
    assert list(registry) == ["one"]


def test_every_activation_can_be_made() -> None:
    from d2ltui.spec.registry import load_object

    for activation in ACTIVATIONS.values():
        if activation.name != "identity":
            assert load_object(activation.module)()
            assert callable(load_object(activation.scratch))

"""The exported script is a run of its own: it needs nothing of this program, and comes to the same figures.

`python -m tests.scripts` does that for every model, data set, optimiser, and so on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch

from d2ltui.code.lines import text_of
from d2ltui.code.listing import listing
from d2ltui.code.script import script
from d2ltui.data import Dataset
from d2ltui.engine.control import Control
from d2ltui.engine.schedule import Schedule
from d2ltui.engine.trainer import Trainer
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.dataset_source import DatasetInfo, DatasetSource
from d2ltui.spec.datasets import DATASET_SOURCES
from d2ltui.spec.models import MODELS
from d2ltui.spec.registry import load_object
from tests.processes import run as run_python
from tests.scripts import carried_out, digits, imports_of, of_run, of_script

SMALL: dict[str, object] = {"device": "cpu", "epochs": 1, "batch_size": 100}


def config(**given: object) -> RunConfig:
    return resolve({**SMALL, **given})


# Each value of each field, in few runs: a run differs from another in many fields at once.
SAME = [  # both implementations take the same steps
    {"dataset": "moons", "hidden": "8", "optimizer": "momentum", "momentum": 0.5, "init": "xavier"},
    {"dataset": "circles", "hidden": "8,4", "optimizer": "adagrad", "init": "kaiming", "activation": "tanh"},
    {"dataset": "spirals", "hidden": "8", "optimizer": "rmsprop", "init": "normal", "init_std": 0.5,
     "weight_decay": 0.1},
    {"dataset": "moons", "hidden": "8", "optimizer": "adam", "init": "xavier", "activation": "gelu", "clip_norm": 0.1,
     "label_smoothing": 0.1},
    {"dataset": "moons", "hidden": "8", "optimizer": "adamw", "init": "xavier", "activation": "elu",
     "weight_decay": 0.1},
    {"dataset": "digits", "hidden": "8", "init": "zeros", "activation": "identity", "schedule": "step", "epochs": 3},
    {"dataset": "circles", "implementation": "scratch", "hidden": "8", "init": "xavier", "activation": "silu",
     "label_smoothing": 0.3},
    {"dataset": "moons", "implementation": "scratch", "hidden": "8", "init": "xavier", "activation": "sigmoid",
     "weight_decay": 0.1},
    {"dataset": "spirals", "model": "softmax", "init": "kaiming", "schedule": "cosine", "epochs": 2},
]  # fmt: skip
OTHERWISE = [  # they do not, as README says
    {"dataset": "moons", "hidden": "8", "dropout": 0.3, "init": "xavier"},
    {"dataset": "moons", "hidden": "8", "dropout": 0.3, "implementation": "scratch", "activation": "leaky-relu"},
    {"dataset": "moons", "hidden": "8", "init": "xavier", "weight_decay": 0.1, "clip_norm": 0.1},
    {"dataset": "digits", "model": "softmax", "seed": 3},
    {"model": "linear", "dataset": "synthetic-linear", "weight_decay": 0.1},
    {"model": "linear", "dataset": "diabetes", "implementation": "scratch", "schedule": "warmup", "epochs": 3},
    {"dataset": "function", "function": "waves", "hidden": "8", "init": "xavier", "activation": "tanh"},
    {"dataset": "function", "function": "step", "implementation": "scratch", "hidden": "8", "init": "kaiming"},
    {"dataset": "digits", "hidden": "512,256", "batch_size": 256, "lr": 1.5, "epochs": 40},  # large products
    {"dataset": "digits", "hidden": "8", "init": "normal", "precision": "bf16", "dropout": 0.2},
    {"dataset": "digits", "hidden": "8", "precision": "bf16", "implementation": "scratch"},
]


@pytest.mark.parametrize("given", SAME, ids=str)
def test_both_implementations_come_to_the_figures_of_the_run(given: dict[str, object]) -> None:
    run = config(**given)
    assert of_script(run, "concise") == of_script(run, "scratch") == of_run(run)


@pytest.mark.parametrize("given", OTHERWISE, ids=str)
def test_the_implementation_of_the_run_comes_to_its_figures(given: dict[str, object]) -> None:
    run = config(**given)
    other = "scratch" if run.implementation == "concise" else "concise"
    assert of_script(run) == of_run(run) != of_script(run, other)


def test_every_choice_has_been_tried() -> None:
    tried = [config(**given) for given in (*SAME, *OTHERWISE)]
    for field, choices in {
        "optimizer": catalogue.OPTIMIZERS,
        "schedule": catalogue.SCHEDULES,
        "init": catalogue.INITS,
        "dataset": [name for name, info in catalogue.DATASETS.items() if info.embedded],
    }.items():
        assert {getattr(run, field) for run in tried} == set(choices), field


def made_data(n: int = 60) -> Dataset:
    """Pictures of 28 × 28 pixels, instead of a data set that would have to be there."""
    generator = torch.Generator().manual_seed(1)
    x, y = torch.rand(2 * n, 784, generator=generator), torch.randint(10, (2 * n,), generator=generator)
    info = msgspec.structs.replace(catalogue.DATASETS["fashion-mnist"], train_size=n, val_size=n)
    return Dataset(info, x[:n], y[:n], x[n:], y[n:])


@pytest.mark.parametrize("implementation", ["concise", "scratch"])
def test_lenet(implementation: str) -> None:
    run = config(model="lenet", implementation=implementation, batch_size=20, lr=0.5, init="kaiming", activation="relu")
    data = made_data()
    text = script(run, "a-run", threads=1)
    begin, end = text.index("# Data: "), text.index("order = torch.Generator()")
    names = carried_out(
        text[:begin]
        + "generator = torch.Generator().manual_seed(1)\n"
        + "x, y = torch.rand(120, 784, generator=generator), torch.randint(10, (120,), generator=generator)\n"
        + "X_train, y_train, X_val, y_val = x[:60], y[:60], x[60:], y[60:]\n"
        + text[end:]
    )
    told = f"{names['train_loss']:.4g}", f"{names['val_loss']:.4g}", f"{names['val_accuracy']:.4f}"
    assert told == of_run(run, data)


@pytest.mark.parametrize("name", ["step", "cosine", "warmup"])
@pytest.mark.parametrize("epochs", [2, 3, 7, 10, 25])
def test_schedules(name: str, epochs: int) -> None:
    text = script(config(model="linear", schedule=name, epochs=epochs), "a-run")
    begin = text.index("def schedule(")
    names: dict[str, object] = {"num_epochs": epochs}
    exec("import math\n" + text[begin : text.index("\n\n\n", begin)], names)
    wanted = Schedule(name, epochs)
    for epoch in range(epochs):
        assert names["schedule"](epoch) == pytest.approx(wanted.factor(epoch + 1), abs=1e-12)  # type: ignore[operator]


def test_a_learning_rate_that_was_changed_by_hand() -> None:
    run = config(model="linear")
    changed = script(run, "a-run", lr_changes=[(0, 0.5)])
    assert carried_out(changed)["val_loss"] == carried_out(script(config(model="linear", lr=0.5), "b"))["val_loss"]


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_learning_rate_that_was_changed_between_two_epochs(schedule: str) -> None:
    run, control, steps = config(model="linear", schedule=schedule, epochs=4), Control(), []

    def change(event: events.Event) -> None:
        if isinstance(event, events.EpochEnded) and event.epoch in (1, 3):
            control.set_lr(0.02 / event.epoch)
            steps.append((event.step, 0.02 / event.epoch))

    trainer = Trainer(run, control, [change], sample_every=None)
    trainer.run()
    text = script(run, "a-run", threads=1, lr_changes=steps)
    assert "lr = lr\n" not in text
    last = trainer.progress.epochs[-1]
    names = carried_out(text)
    assert digits(names["train_loss"], names["val_loss"], names["val_r2"]) == digits(
        last.train_loss, last.val_loss, last.val_metric
    )


def test_the_script_runs_where_this_program_is_not(tmp_path: Path) -> None:
    text = script(config(model="linear"), "a-run", threads=1)
    assert imports_of(text) == {"torch"}
    file = tmp_path / "a-run.py"
    file.write_text(text + "assert not any(name.partition('.')[0] == 'd2ltui' for name in sys.modules)\n")
    done = run_python([str(file), "concise"], timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == carried_out(text)["printed"]


def test_what_each_script_imports() -> None:
    for name, info in catalogue.DATASETS.items():
        for model in (model for model in MODELS.values() if name in catalogue.datasets_for(model.name)):
            found = imports_of(script(resolve({"dataset": name, "model": model.name}), "a-run"))
            allowed = {"torch"} | ({"sklearn", "numpy"} if info.embedded else {"torchvision"})
            assert found <= allowed | ({"scipy"} if name == "svhn" else set())


def test_what_is_shown_of_a_run_is_part_of_its_script() -> None:
    run = config(dataset="digits", hidden="8", dropout=0.3, optimizer="adam", weight_decay=0.1, clip_norm=1)
    text = script(run, "a-run")
    for implementation in ("scratch", "concise"):
        for line in listing(run, implementation)[1:]:  # without the line of hyperparameters
            assert line.text.strip() in text, line


def test_of_another_packages_model_its_own_source_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "plugins"))
    MODELS.register(load_object("strided_plugin:STRIDED"))
    try:
        run = resolve({"model": "strided"})
        shown = text_of(listing(run, "concise"))
        assert "class Strided(nn.Module):" in shown
        assert "optimizer = torch.optim.SGD(net.parameters(), lr=lr)" in shown
        assert "no implementation from scratch" in text_of(listing(run, "scratch"))
        monkeypatch.setattr("d2ltui.code.listing.importlib.util.find_spec", lambda name: None)
        assert "cannot be shown (ImportError)" in text_of(listing(run, "concise"))
    finally:
        MODELS.forget("strided")


def test_class_names_are_python_whatever_they_are(offer: Callable[..., DatasetSource]) -> None:
    names = ('5" disk', "a\\", "aquarium fish", "café", *(f"a name with blanks {number}" for number in range(20)))
    info = DatasetInfo(
        name="things", title="things", task="classification", origin="a test", input_shape=(4,), num_outputs=len(names),
        classes=names, train_size=100, val_size=50, normalisation="none", description="things",
    )  # fmt: skip
    offer(DATASET_SOURCES, DatasetSource(info, "d2ltui.data.synthetic:load"))
    written = script(config(dataset="things", hidden="4"), "things-1")
    listed = written[written.index("classes = [") :].partition("]\n")[0] + "]"
    found: dict[str, object] = {}
    exec(listed, found)
    assert found["classes"] == list(names)
    compile(written, "script", "exec")
    assert max(map(len, listed.splitlines())) <= 120

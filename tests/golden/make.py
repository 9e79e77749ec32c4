"""Makes a golden store: runs of every kind, as the version of the program that is installed stores and shows them.

    python tests/golden/make.py tests/golden/v2

writes `store.tar.xz`, a D2LTUI_HOME with one directory for each run, and `expected.json`, what that version itself
says of them: rows of `runs`, exports, weights, and what each run becomes when it is resumed. A later version is held
against both by `tests/unit/test_golden_store.py`; neither file is ever changed again. `v1` was made with commit
2aac9da, schema 1.

Each run is a `d2ltui train` or `d2ltui sweep` of its own, in a process forked from this one. Where chance would decide
how far it comes (a kill, a stop, a pause), the optimiser's `step` does it after a fixed number of steps: `_Hook` is all
that depends on the program's insides, and has to follow them before another version can be made. Host and platform are
those of nobody.
"""
# What this imports is the version that it is run with, which need not be the one beside it.
# mypy: ignore-errors

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import shutil
import signal
import socket
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

os.environ["OMP_NUM_THREADS"] = "1"
HOST, PLATFORM = "golden", "Linux-x86_64"
ACTIONS = ("kill", "stop", "pause", "lr", "fail")
MLP = "--model mlp --device cpu"
# Name of the run: its options, and by number of step what happens there. "slow" is the time each step takes, in
# seconds: a run that ends before the first second has but one look at its layers.
RUNS: dict[str, tuple[str, dict[object, object]]] = {
    "finished-linear": ("--model linear --dataset synthetic-linear --batch-size 200 --epochs 3", {"slow": 0.15}),
    "finished-linear-scratch": (
        "--model linear --implementation scratch --dataset diabetes --batch-size 100 --epochs 4 --lr 0.05",
        {},
    ),
    "finished-softmax": ("--model softmax --dataset digits --batch-size 400 --epochs 3 --seed 7", {}),
    "finished-mlp": (f"{MLP} --dataset circles --hidden 8,4 --batch-size 200 --epochs 4 --dropout 0.25", {"slow": 0.1}),
    "finished-mlp-scratch": (
        f"{MLP} --implementation scratch --dataset spirals --hidden 6 --activation tanh --init xavier "
        "--batch-size 300 --epochs 3",
        {},
    ),
    "finished-identity": (
        f"{MLP} --dataset circles --hidden 3 --activation identity --init kaiming --optimizer adagrad "
        "--batch-size 200 --epochs 2 --weight-decay 0.001",
        {},
    ),
    "sick-zeros": (f"{MLP} --dataset circles --hidden 5 --init zeros --batch-size 200 --epochs 5", {"slow": 0.15}),
    "sick-relus": (
        f"{MLP} --dataset digits --hidden 16,16 --init normal --init-std 1 --lr 3 --batch-size 300 --epochs 6",
        {"slow": 0.15},
    ),
    "sick-sigmoids": (
        f"{MLP} --dataset digits --hidden 12,12,12 --activation sigmoid --init normal --init-std 3 --batch-size 300 "
        "--epochs 5 --lr 0.001",
        {"slow": 0.15},
    ),
    "diverged-linear": ("--model linear --dataset synthetic-linear --batch-size 200 --epochs 3 --lr 1e30", {}),
    "diverged-mlp": (f"{MLP} --dataset circles --hidden 8 --batch-size 200 --epochs 3 --lr 1e30", {}),
    "stopped-softmax": (
        "--model softmax --implementation scratch --dataset digits --batch-size 400 --epochs 5",
        {10: "stop"},
    ),
    "stopped-linear": ("--model linear --dataset diabetes --batch-size 50 --epochs 3 --init normal", {5: "stop"}),
    "failed-mlp": (f"{MLP} --dataset circles --hidden 8 --batch-size 200 --epochs 4 --optimizer adam", {9: "fail"}),
    "failed-loading": ("--model softmax --dataset fashion-mnist --epochs 1 --data-dir /tmp", {}),
    "changed-lr": (f"{MLP} --dataset circles --hidden 6 --batch-size 200 --epochs 4", {6: 0.02, 11: 0.5}),
    "paused": (f"{MLP} --dataset circles --hidden 6 --batch-size 200 --epochs 3 --seed 3", {5: "pause"}),
    "interrupted-sgd": (
        f"{MLP} --implementation scratch --dataset circles --hidden 6 --activation tanh --batch-size 200 --epochs 5 "
        "--dropout 0.1",
        {11: "kill"},
    ),
    "interrupted-momentum": (
        f"{MLP} --dataset circles --hidden 8,4 --optimizer momentum --batch-size 300 --epochs 5 --dropout 0.2",
        {8: "kill"},
    ),
    "interrupted-adagrad": (
        f"{MLP} --dataset circles --hidden 8 --activation sigmoid --optimizer adagrad --lr 0.05 --batch-size 200 "
        "--epochs 4",
        {9: "kill"},
    ),
    "interrupted-rmsprop": (
        "--model linear --dataset diabetes --optimizer rmsprop --lr 0.01 --batch-size 100 --epochs 4",
        {7: "kill"},
    ),
    "interrupted-adam": (
        "--model softmax --dataset moons --optimizer adam --lr 0.01 --weight-decay 0.01 --batch-size 100 --epochs 4 "
        "--seed 11",
        {19: "kill"},
    ),
    "interrupted-changed-lr": (
        f"{MLP} --dataset circles --hidden 6 --batch-size 200 --epochs 4",
        {3: 0.02, 10: "kill"},
    ),
    "interrupted-loading": ("--model softmax --dataset moons --epochs 2 --batch-size 200", {"loading": "kill"}),
    "resumed": (f"{MLP} --dataset circles --hidden 6 --batch-size 200 --epochs 4 --seed 5", {6: "stop"}),
    "damaged": (f"{MLP} --dataset circles --hidden 6 --batch-size 200 --epochs 4 --seed 9", {10: "stop"}),
    "damaged-lost": ("--model softmax --dataset moons --batch-size 200 --epochs 2", {}),
    "recovered": (f"{MLP} --dataset circles --hidden 6 --batch-size 200 --epochs 4 --seed 9", {10: "stop"}),
    "stopped-recovered": (f"{MLP} --dataset circles --hidden 6 --batch-size 200 --epochs 5 --seed 2", {10: "stop"}),
    "noted": ("--model softmax --dataset moons --batch-size 400 --epochs 2 --lr 0.05", {}),
}
GROUPS = (
    "train --seeds 3 --model linear --dataset synthetic-linear --batch-size 500 --epochs 2",
    "sweep --model softmax --dataset moons --batch-size 400 --epochs 2 --lr 0.1,0.5 --optimizer sgd,momentum",
)
FILTERS = (
    "status=finished", "status=interrupted", "status=damaged", "model=mlp status!=finished", "lr>=0.5", "seed=7",
    "implementation=scratch", "hidden=8,4", "dataset=diabetes epochs<4", "optimizer=adam", "val_accuracy>=0.8",
    "note=best", "best", "steps<3", "val_r2>0.9", "host=golden", "weight_decay>0", "init_std=1", "interrupted-",
)  # fmt: skip


class _Hook:
    """Does what is asked for in the middle of a training."""

    def __init__(self, actions: dict[object, object]) -> None:
        from d2ltui import headless
        from d2ltui.engine import checkpoint, trainer

        self._actions, self._steps = actions, 0
        self._make, self._control = trainer.make_optimizer, headless.Control
        trainer.make_optimizer, headless.Control = self._optimizer, self._remember
        if "kill" in actions.values():  # a checkpoint after each epoch, however short
            checkpoint.EPOCH_EVERY, checkpoint.SHARE = 0.0, 1e9
        if "loading" in actions:
            load = trainer.load

            def killed(*given: object, **named: object) -> object:
                self._kill()
                return load(*given, **named)

            trainer.load = killed

    def _remember(self, *given: object) -> object:
        self.control = self._control(*given)
        return self.control

    def _kill(self) -> None:
        time.sleep(1.5)  # until all that was told is on the disk
        os.kill(os.getpid(), signal.SIGKILL)

    def _optimizer(self, *given: object) -> object:
        optimizer = self._make(*given)
        step = optimizer.step

        def counted() -> None:
            step()
            self._steps += 1
            time.sleep(float(self._actions.get("slow", 0)))
            action = self._actions.get(self._steps)
            if action == "kill":
                self._kill()
            elif action == "stop":
                self.control.stop()
            elif action == "pause":
                self.control.pause()
                threading.Timer(1.0, self.control.resume).start()
            elif action == "fail":
                raise RuntimeError("the golden run was made to fail here")
            elif isinstance(action, float):
                self.control.set_lr(action)

        optimizer.step = counted
        return optimizer


def command(
    *arguments: str, actions: dict[object, object] | None = None, cwd: Path | None = None
) -> tuple[int, bytes, str]:
    """Runs `d2ltui` in a fork of this process: its exit status, standard output and standard error."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.stdout = io.TextIOWrapper(io.FileIO(1, "w"), "utf-8", write_through=True)
            sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), "utf-8", write_through=True)
            status = 70
            try:
                status = _main(list(arguments), actions)
            finally:
                os._exit(status)
        _, ended = os.waitpid(pid, 0)
        out.seek(0), err.seek(0)
        return os.waitstatus_to_exitcode(ended), out.read(), err.read().decode()


def _main(arguments: list[str], actions: dict[object, object] | None) -> int:
    from d2ltui import cli

    if actions:
        _Hook(actions)
    sys.argv = ["d2ltui", *arguments]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _names(home: Path) -> set[str]:
    return {path.name for path in (home / "runs").iterdir()} if (home / "runs").is_dir() else set()


def _flip(database: Path) -> None:
    """Other bytes everywhere but in the header and the first half of the first page."""
    data = bytearray(database.read_bytes())
    for at in range(4096, len(data)):
        data[at] ^= 0x5A
    database.write_bytes(data)


def make_runs(home: Path) -> None:
    """All the runs, in `home`."""
    for name, (options, actions) in RUNS.items():
        before = _names(home)
        status, _, err = command("train", *options.split(), "--quiet", actions=actions)
        (made,) = _names(home) - before
        (home / "runs" / made).rename(home / "runs" / name)
        print(f"{name}: {status} {err.strip()[-200:]}", flush=True)
    for line in GROUPS:
        status, _, err = command(*line.split(), "--quiet")
        print(f"{line}: {status} {err}", flush=True)
        time.sleep(1.1)  # the name of a group has seconds
    runs = home / "runs"
    assert command("train", "--resume", "resumed", "--quiet")[0] == 0
    for name in ("damaged", "damaged-lost", "recovered", "stopped-recovered"):
        _flip(runs / name / "run.db")
    for checkpoint in (runs / "damaged-lost").glob("checkpoint*"):
        checkpoint.unlink()
    assert command("train", "--resume", "recovered", "--quiet")[0] == 0
    command("train", "--resume", "stopped-recovered", "--quiet", actions={4: "stop"})
    (runs / "noted" / "note.txt").write_text("the best of all → ρ = ½\nand a second line", encoding="utf-8")


def _weights(name: str, work: Path) -> dict[str, object]:
    """The exported weights, and what the exported network makes of some inputs."""
    import torch

    work.mkdir()
    status = command("export", name, "--weights", "-o", str(work / "weights.pt"))[0]
    if status:
        return {"status": status}
    code = command("export", name, "--code")[1].decode()
    state = torch.load(work / "weights.pt", weights_only=True)
    # A script that trains is to take the exported weights instead: what it was before only loaded those.
    code = code.replace("range(num_epochs):", "range(0):").replace("# net.load_state_dict(", "net.load_state_dict(")
    names: dict[str, object] = {}
    with contextlib.chdir(work), mock.patch.object(sys, "argv", ["script.py", "concise"]):
        exec(code, names)
    names["net"].eval()
    (first, *_) = (value for key, value in state.items() if key.endswith("weight"))
    with torch.no_grad():
        outputs = names["net"](torch.linspace(-1, 1, 2 * first.shape[1]).reshape(2, -1))
    return {
        "status": 0,
        "weights": {key: value.flatten().tolist() for key, value in state.items()},
        "outputs": outputs.tolist(),
    }


def _resumed(home: Path, name: str, options: str, work: Path) -> dict[str, object]:
    """What becomes of the run when it is resumed, held against a twin that nothing has interrupted."""
    work.mkdir()
    if not _can_be_resumed(home, name):
        return {"status": command("train", "--resume", name, "--quiet", "--json")[0]}
    shutil.copytree(home, work / "home", symlinks=True)
    os.environ["D2LTUI_HOME"] = str(work / "home")
    try:
        status, out, _ = command("train", "--resume", name, "--quiet", "--json")
        if not out:
            return {"status": status}
        weights = _weights(name, work / "resumed")
        # The steps between two publications of a run that was killed are told by nobody.
        csv = command("export", name, "--csv")[1].decode()
        if options:
            before = _names(work / "home")
            assert command("train", *options.split(), "--quiet")[0] == 0
            (twin,) = _names(work / "home") - before
            assert _weights(twin, work / "twin") == weights, f"{name} and its twin differ"
            whole = command("export", twin, "--csv")[1].decode().splitlines()
            assert all(row in whole for row in csv.splitlines() if ",nan," not in row), f"{name} and its twin differ"
        return {"status": status, "summary": json.loads(out), "csv": csv, "weights": weights}
    finally:
        os.environ["D2LTUI_HOME"] = str(home)


def _can_be_resumed(home: Path, name: str) -> bool:
    from d2ltui.store.listing import info

    return info(home / "runs" / name).status not in ("finished", "diverged")


def describe(home: Path, work: Path, parts: Path) -> dict[str, object]:
    """What this version says of the runs in `home`. What there is of it in `parts` is taken from there."""
    rows = json.loads(command("runs", "--json")[1])
    found: dict[str, object] = {}
    for row in rows:
        part = parts / f"{row['name']}.json"
        if not part.exists():
            part.write_text(json.dumps(_describe_run(home, work, row)), encoding="utf-8")
            print(f"{row['name']}: {row['status']}", flush=True)
        found[row["name"]] = json.loads(part.read_text(encoding="utf-8"))
    listed = {text: json.loads(command("runs", *text.split(), "--json")[1]) for text in FILTERS}
    return {"runs": found, "filters": {text: [row["name"] for row in rows] for text, rows in listed.items()}}


def _describe_run(home: Path, work: Path, row: dict[str, object]) -> dict[str, object]:
    name, row["path"] = str(row["name"]), None
    json_status, document, _ = command("export", name, "--json")
    exported = json.loads(document) if document else {}
    for key in ("path", "name", "environment", "log"):  # what differs from machine to machine, or stands in the row
        exported.pop(key, None)
    csv_status, csv, _ = command("export", name, "--csv")
    options, actions = RUNS.get(name, ("", {}))
    changed = any(isinstance(action, float) for action in actions.values()) or row["status"] == "failed"
    return {
        "row": row,
        "exit": {"show": command("show", name)[0], "json": json_status, "csv": csv_status},
        "csv": csv.decode(),
        "json": {key: exported[key] for key in exported if key not in row or key in ("steps", "epochs", "findings")},
        "weights": _weights(name, work / f"{name}-weights"),
        "resumed": _resumed(home, name, "" if changed else options, work / f"{name}-resumed"),
    }


def main(target: Path) -> None:
    """Make `store.tar.xz` and `expected.json` in `target`; begun again, it goes on with what is there."""
    # Once, and not in each of the forks.
    import d2ltui.commands.looking
    import d2ltui.commands.repeat
    import d2ltui.tui.plots
    import sklearn.datasets  # noqa: F401
    from d2ltui.models.compiler import import_compiler

    import d2ltui.engine.trainer

    import_compiler()
    print(f"made with {d2ltui.__file__}", flush=True)
    socket.gethostname = lambda: HOST
    platform.platform = lambda *_: PLATFORM
    target.mkdir(exist_ok=True)
    store = target / "store.tar.xz"
    with tempfile.TemporaryDirectory(prefix="golden-") as text:
        work = Path(text)
        os.chdir(work)  # no repository's commit
        if not store.exists():
            os.environ["D2LTUI_HOME"] = str(work / "made")
            make_runs(work / "made")
            with tarfile.open(store, "w:xz", preset=9) as archive:
                archive.add(work / "made" / "runs", "runs", filter=_anonymous)
        with tarfile.open(store) as archive:
            archive.extractall(work / "home", filter="data")
        os.environ["D2LTUI_HOME"] = str(work / "home")
        parts = target / "parts"
        parts.mkdir(exist_ok=True)
        expected = describe(work / "home", work, parts)
        lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in expected["runs"].items()]
        runs = ",\n".join(lines)
        (target / "expected.json").write_text(
            f'{{"filters": {json.dumps(expected["filters"])},\n"runs": {{\n{runs}\n}}}}\n', encoding="utf-8"
        )


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())

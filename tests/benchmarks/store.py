"""What storing a run costs, and what is left of it when its process is killed.

    python -m tests.benchmarks.store kills [N [SEED [EPOCHS]]]
                                                    kill -9 at N random moments, then resume: the same weights?
    python -m tests.benchmarks.store size           a run of 1,000,000 steps: bytes, and the time of `show`
    python -m tests.benchmarks.store list           1,000 runs: the time of `runs`
    python -m tests.benchmarks.store speed          training with the store ÷ without, in alternation
    python -m tests.benchmarks.store watch          how old is what `watch` shows of a run of another process

Each prints one JSON object as its last line.
"""

from __future__ import annotations

import itertools
import json
import mmap
import os
import random
import re
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyte

from d2ltui.engine.control import Control
from d2ltui.history.live import LiveRun
from d2ltui.runner.recording import RunRecording
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig, resolve
from d2ltui.store import home
from d2ltui.store.reader import RunReader
from d2ltui.store.writer import StoreThread

from .context import LINEAR, STEPS_PER_EPOCH
from .keys import STATUS_LINES, clean
from .race import read_log
from .terminal import ROOT, Terminal, environment
from .watching import wait_for_steps

KILLED: dict[str, object] = {
    "model": "mlp",
    "dataset": "digits",
    "hidden": "64",
    "optimizer": "adam",
    "lr": 0.001,
    "dropout": 0.3,
}
# Where the moment shall fall: wherever, or most likely in writing a checkpoint, or in writing the store.
MODES = ("training", "checkpoint", "store")
_RECORD = struct.Struct("<dq")


class Steps:
    """When a process told of which step, in memory that outlives it."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1 << 20)

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.StepsTrained):
            (count,) = struct.unpack_from("<q", self._memory)
            _RECORD.pack_into(self._memory, 8 + count * _RECORD.size, time.time(), event.step)
            struct.pack_into("<q", self._memory, 0, count + 1)

    def first(self) -> float:
        """When the first step was told of."""
        return float(_RECORD.unpack_from(self._memory, 8)[0])

    def until(self, moment: float) -> int:
        """The last step that was told of until then."""
        (count,) = struct.unpack_from("<q", self._memory)
        told = [_RECORD.unpack_from(self._memory, 8 + i * _RECORD.size) for i in range(count)]
        return max((step for when, step in told if when <= moment), default=0)


def _child(work: Callable[[], int]) -> int:
    """Run `work` in a process of its own; returns its number."""
    number = os.fork()
    if number:
        return number
    status = 99
    try:
        status = work()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _weights(config: RunConfig, result: mmap.mmap, steps: Steps | None, mode: str, path: Path | None) -> int:
    """Train `config`, or go on with it, and leave a checksum of the weights."""
    import torch

    from d2ltui.engine import checkpoint
    from d2ltui.engine.trainer import Trainer
    from d2ltui.store import writer

    torch.set_num_threads(1)
    if mode == "checkpoint":
        checkpoint.EPOCH_EVERY, checkpoint.SHARE = 0.0, 1e9
    if mode == "store":
        writer.EVERY = 0.001
    control = Control()
    record = RunRecording.new(config, control) if path is None else RunRecording.resume(path, control)
    trainer = Trainer(
        config,
        control,
        [record.store, *([steps] if steps is not None else [])],
        keeper=record,
        resume=record.checkpoint if record.resumes else None,
    )
    ended = trainer.run()
    record.close()
    crc = 0
    for name, value in sorted(trainer.network.state().items()):
        crc = zlib.crc32(value.numpy().tobytes(), zlib.crc32(name.encode(), crc))
    struct.pack_into("<qq", result, 0, 1, crc)
    return 0 if ended.status == "finished" else 1


def kills(count: int, seed: int = 0, epochs: int = 150) -> dict[str, object]:
    """Kill a training `count` times and resume it each time."""
    import sklearn.datasets  # noqa: F401 - once, for all children

    from d2ltui.runner.worker import _import_engine

    _import_engine()

    config = resolve({**KILLED, "epochs": epochs})
    draw = random.Random(seed)
    result = mmap.mmap(-1, 16)
    steps, began = Steps(), time.time()
    assert os.waitpid(_child(lambda: _weights(config, result, steps, "training", None)), 0)[1] == 0
    duration, start = time.time() - began, steps.first() - began
    (_, expected) = struct.unpack_from("<qq", result)
    tally = {"kills": 0, "same": 0, "from the beginning": 0, "late": 0}
    longest = 0.0
    while tally["kills"] < count:
        mode = MODES[tally["kills"] % len(MODES)]
        steps = Steps()
        before = set(home.names())
        child = _child(lambda steps=steps, mode=mode: _weights(config, result, steps, mode, None))  # type: ignore[misc]
        # A moment in the training, mostly, and now and then one before it begins.
        time.sleep(draw.uniform(0.5 * start, 0.95 * duration))
        os.kill(child, signal.SIGKILL)
        moment = time.time()
        if os.waitpid(child, 0)[1] == 0:
            continue  # it was faster
        tally["kills"] += 1
        names = set(home.names()) - before
        if not names:  # killed before its directory was there: nothing half-written is left
            tally["from the beginning"] += 1
            tally["same"] += 1
            continue
        path = home.path_of(names.pop())
        with RunReader(path) as reader:
            stored = len(reader.live.losses)
        if steps.until(moment - 1.0) > stored:
            tally["late"] += 1
        missing = [back / 20 for back in range(40) if steps.until(moment - back / 20) > stored]
        longest = max(longest, max(missing, default=0.0))
        tally["from the beginning"] += not (path / home.CHECKPOINT).exists()
        struct.pack_into("<qq", result, 0, 0, 0)
        status = os.waitpid(_child(lambda path=path: _weights(config, result, None, "training", path)), 0)[1]  # type: ignore[misc]
        done, found = struct.unpack_from("<qq", result)
        with RunReader(path) as reader:
            whole = len(reader.live.losses) == config.total_steps and reader.live.status == "finished"
        tally["same"] += status == 0 and done == 1 and found == expected and whole
        print(f"{tally['kills']}/{count} {mode}: {stored} steps stored, {tally['same']} the same", file=sys.stderr)
    return {**tally, "longest loss of steps (s)": longest}


def record(config: RunConfig, total: int, store: StoreThread) -> None:
    """Tell `store` of a run of `total` steps as the engine does."""
    from d2ltui.spec import catalogue

    draw = np.random.default_rng(0)
    per_epoch = config.steps_per_epoch
    plan = catalogue.layer_plan(config)
    store(events.StatusChanged("training"))
    store(events.RunStarted(config, "cpu", plan, 1000, 1000, per_epoch, "in memory"))
    step = 0
    while step < total:
        size = min(per_epoch, total - step)
        losses = draw.random(size, dtype=np.float32)
        step += size
        store(events.StepsTrained(step, losses, 1 - losses, step * 1e-3))
        store(events.EpochEnded(step // per_epoch, step, 0.1, 0.2, 0.3, 0.4, step * 1e-3))
        if step % (300 * per_epoch) < per_epoch:
            counts = tuple(draw.integers(0, 500, 40).tolist())
            layers = tuple(
                events.LayerStats(
                    spec.index, spec.title, counts, 0.1, 1.0, -3.1, 3.2, 0.5, 0.1, 0.0, 0, 0.1, 1.0,
                    gradient_counts=counts, gradient_minimum=-1.0, gradient_maximum=1.0,
                )
                for spec in plan
            )  # fmt: skip
            store(events.LayersProbed(step, layers, 0.1))
    store(events.RunEnded("finished", "done", {"steps": total}))


def _timed(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "d2ltui", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def size(total: int = 1_000_000) -> dict[str, object]:
    """A run of `total` steps, and an empty one."""
    found: dict[str, object] = {}
    for name, config, steps in (
        ("empty", resolve({"model": "mlp", "epochs": 30000}), 0),
        ("many steps", resolve({"model": "mlp", "epochs": 30000}), total),
        ("a step an epoch", resolve({"dataset": "diabetes", "batch_size": 353, "epochs": 1_000_000}), total),
    ):
        store = StoreThread(config)
        record(config, steps, store)
        store.close(120)
        assert store.path is not None
        found[f"{name}: MB"] = sum(file.stat().st_size for file in store.path.iterdir()) / 1e6
        times = [_timed("show", store.path.name) for _ in range(5)]
        found[f"{name}: show (s)"] = round(statistics.median(times), 3)
    return found


def many(count: int = 1000) -> dict[str, object]:
    """So many runs, listed."""
    config = resolve({"model": "mlp"})
    store = StoreThread(config)
    record(config, 4500, store)
    store.close()
    assert store.path is not None
    for i in range(2, count + 1):
        shutil.copytree(store.path, home.runs_dir() / f"mlp-digits-{i}")
    return {
        "runs": len(home.names()),
        "runs command (s)": round(statistics.median(_timed("runs") for _ in range(5)), 3),
        "filtered, JSON (s)": round(statistics.median(_timed("runs", "lr>0.05", "--json") for _ in range(5)), 3),
    }


def speed(rounds: int = 9, seconds: float = 4.0) -> dict[str, object]:
    """Steps a second with the store ÷ without, in pairs that follow each other closely: the median, then all."""
    import torch

    from d2ltui.engine.trainer import Trainer

    torch.set_num_threads(1)  # what is measured is the store, not the wait of two threads for each other
    found: dict[str, object] = {}
    for name, given in {
        "mlp, digits": {"model": "mlp", "dataset": "digits"},
        "linear": {"model": "linear", "dataset": "synthetic-linear"},
    }.items():
        config = resolve({**given, "epochs": 1_000_000})
        ratios, costs = [], []
        for i in range(rounds):
            rates, work = {}, {}
            for stored in (i % 2 == 0, i % 2 == 1):
                control, live = Control(), LiveRun(config)

                def end(
                    event: events.Event,
                    control: Control = control,
                ) -> None:
                    if isinstance(event, events.StepsTrained) and event.seconds >= seconds:
                        control.stop()

                recording = RunRecording.new(config, control) if stored else None
                sinks: list[events.Sink] = [live, end] if recording is None else [live, end, recording.store]
                began = time.process_time()
                Trainer(config, control, sinks, keeper=recording).run()
                if recording is not None:
                    recording.close()
                rates[stored] = live.step / live.seconds
                work[stored] = (time.process_time() - began) / live.step
            ratios.append(rates[True] / rates[False])
            costs.append(work[False] / work[True])  # of processor time: others on the machine matter less
        for what, values in (("steps/s", ratios), ("steps/processor second", costs)):
            found[f"{name}: {what}"] = [round(value, 4) for value in (statistics.median(values), *sorted(values))]
    return found


def watch(seconds: float = 40.0) -> dict[str, object]:
    """How old what the watching terminal shows has become each time before it is brought up to date, in seconds."""
    log = Path(tempfile.mkdtemp(prefix="d2ltui-benchmark-")) / "steps"
    home_now = os.environ["D2LTUI_HOME"]
    run = [str(log), "train", *LINEAR, "--epochs", "1000000"]
    command = [sys.executable, "-m", "tests.benchmarks.child", *run]
    null = subprocess.DEVNULL
    training = subprocess.Popen(command, stdout=null, stderr=null, cwd=ROOT, env=environment(D2LTUI_HOME=home_now))
    terminal = None
    try:
        wait_for_steps(log, 2000)
        terminal = Terminal([sys.executable, "-m", "d2ltui", "watch"], home=home_now)
        terminal.wait_for("training")
        time.sleep(2.0)
        begun = time.monotonic()
        time.sleep(seconds)
    finally:
        training.kill()
        training.wait()
        if terminal is not None:
            terminal.close()
    shown = [(when, epoch) for when, epoch in epochs_shown(terminal) if when >= begun]
    points = [point for point in read_log(log) if point.kind == "s"]
    ages = []
    for (_, epoch), (replaced, _) in itertools.pairwise(shown):
        reached = next(point.time for point in points if point.steps >= (epoch - 1) * STEPS_PER_EPOCH["linear"])
        ages.append(replaced - reached)
    return {"updates": len(ages), "median (s)": statistics.median(ages), "maximum (s)": max(ages)}


def epochs_shown(terminal: Terminal) -> list[tuple[float, int]]:
    """Each epoch that the status line has shown, and since when."""
    screen = pyte.Screen(terminal.columns, terminal.lines)
    stream = pyte.ByteStream(screen)
    found: list[tuple[float, int]] = []
    for when, chunk in terminal.chunks:
        stream.feed(clean(chunk))
        match = re.search(r"epoch ([\d,]+)/", "\n".join(screen.display[-STATUS_LINES:]))
        if match is not None and (not found or int(match[1].replace(",", "")) != found[-1][1]):
            found.append((when, int(match[1].replace(",", ""))))
    return found


def main(arguments: list[str]) -> None:
    """The command."""
    what, *rest = arguments
    with tempfile.TemporaryDirectory() as directory:
        os.environ["D2LTUI_HOME"] = directory
        if what == "kills":
            print(json.dumps(kills(*map(int, rest or ["50"]))))
        else:
            print(json.dumps({"size": size, "list": many, "speed": speed, "watch": watch}[what]()))


if __name__ == "__main__":
    main(sys.argv[1:])

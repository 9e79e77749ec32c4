"""Thousands of steps, stored and looked at, leave nothing behind: no hook, no thread, no open file, no memory."""

from __future__ import annotations

import gc
import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import psutil
import pytest
from torch import Tensor, nn

from d2ltui.engine.control import Control
from d2ltui.engine.trainer import Trainer
from d2ltui.runner.recording import RunRecording
from d2ltui.spec import events
from d2ltui.spec.config import resolve
from tests.selection import long_after

STEPS_PER_EPOCH = 200
PROCESS = psutil.Process()
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks")


class Left(NamedTuple):
    """What there is in this process, after a collection of garbage."""

    hooks: int  # on any module
    tensors: Counter[str]  # by shape: where there are too many, that says which
    objects: int
    files: int
    threads: Counter[str]
    memory: float  # MiB


def hooks_on(modules: Iterable[nn.Module]) -> int:
    return sum(len(getattr(module, name)) for module in modules for name in HOOKS)


def left() -> Left:
    gc.collect()
    objects = gc.get_objects()
    kinds = [type(one) for one in objects]  # not isinstance, which asks some objects for more than their type
    modules = [one for one, kind in zip(objects, kinds, strict=True) if issubclass(kind, nn.Module)]
    return Left(
        hooks=hooks_on(modules),
        tensors=Counter(
            str([*one.shape]) for one, kind in zip(objects, kinds, strict=True) if issubclass(kind, Tensor)
        ),
        objects=len(objects),
        files=PROCESS.num_fds(),
        threads=Counter(thread.name for thread in threading.enumerate()),
        memory=PROCESS.memory_info().rss / 2**20,
    )


def train(epochs: int, every: int = 1) -> tuple[list[Left], int]:
    """What there is after each `every` epochs of a run with a look at the layers after each; and how many looks."""
    control, measured, looks = Control(), [], 0

    def watch(event: events.Event) -> None:
        nonlocal looks
        match event:
            case events.EpochEnded():
                control.pause()  # the layers are looked at, and a checkpoint is stored
            case events.LayersProbed(step=step) if control.mode == "pause":
                looks += 1
                if hooks_on(trainer.network.modules()):
                    control.stop()  # with more hooks after each look, thousands of steps would take minutes
                if step % (every * STEPS_PER_EPOCH) == 0:
                    while not recording.idle:
                        time.sleep(0.001)
                    measured.append(left())
                control.resume()

    config = resolve(
        {"model": "mlp", "dataset": "moons", "hidden": 8, "batch_size": 4, "epochs": epochs, "device": "cpu"}
    )
    assert config.steps_per_epoch == STEPS_PER_EPOCH
    recording = RunRecording.new(config, control)
    control.observe(True)
    trainer = Trainer(config, control, [recording.live, recording.store, watch], keeper=recording)
    assert trainer.run().status == "finished"
    assert recording.close()
    return measured, looks


@pytest.mark.parametrize("epochs", long_after(1, [15, 50]))
def test_thousands_of_steps_leave_nothing_behind(epochs: int) -> None:
    train(1)  # what is opened and imported once
    before = left()
    measured, looks = train(epochs, every=epochs // 5)
    after = left()
    assert looks >= epochs - 1
    early, late = measured[0], measured[-1]  # after a fifth of the steps and looks, and after all of them
    assert len(measured) >= 4
    between = epochs - epochs // 5
    assert before.hooks == early.hooks == late.hooks == after.hooks == 0
    assert after.threads <= before.threads
    assert late.threads <= early.threads
    assert after.files <= before.files
    assert late.files <= early.files + 4  # the store may be writing
    assert not after.tensors - before.tensors
    more = late.tensors - early.tensors
    assert more.total() < between / 2, (more, late.threads)  # half a one for each look
    assert late.objects < early.objects + between * STEPS_PER_EPOCH / 4  # a fourth of one for each step
    assert late.memory < early.memory + between / 5  # MiB for each look: 8 in all at night

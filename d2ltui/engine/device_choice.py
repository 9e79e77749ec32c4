"""`auto`: which device is faster for a run is measured, by some of its own steps on each, on copies that nobody keeps.

    choice = choose(config, data, go_on)      # where there is only a CPU, nothing is tried
    choice.device, choice.why

The random numbers of the process, its threads and the data are afterwards as they were before.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator
from itertools import count
from typing import NamedTuple, Protocol

import msgspec
import torch

from d2ltui.data import Dataset
from d2ltui.engine.checkpoint import Checkpoint
from d2ltui.engine.device import candidates, check_fits, make_current, products
from d2ltui.engine.graphs import graphs_of
from d2ltui.engine.preparation import prepare
from d2ltui.engine.progress import Progress
from d2ltui.engine.stepping import Steps
from d2ltui.engine.threads import CoreMeter, ThreadCount
from d2ltui.nn import build
from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number, rate
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.text import printable

ROUNDS = 2  # in which the devices take turns: another program's work hits both
SECONDS = 0.08  # of a round on one device
WARM = 3  # steps of which it is not known what else they do, the first time
SHORT = 0.5  # seconds: a run that the CPU trains in less is over before a GPU has begun
FASTER = 1.3  # times as fast a GPU must be: where both are alike, what else runs would decide, and so the last bits
LASTS = 600.0  # seconds for which what was found holds: later, other programs are there
MAX_WHY = 120  # characters of why a device cannot be used
# What PyTorch raises where a device is not there, is full, cannot do something, or has failed. A stop is none of it.
_FAILURES = (ConfigError, RuntimeError, AssertionError, TypeError, MemoryError)


class Choice(NamedTuple):
    """A device, and in one sentence why that one; "" where there was no choice."""

    device: torch.device
    why: str


class Trial(Protocol):
    """Steps of a run on a device."""

    def seconds_a_step(self, least: int, seconds: float) -> float:
        """Take `least` steps, and more until `seconds` have passed: how long one has taken, all of it computed."""

    def close(self) -> None:
        """Forget all of it."""


Attempt = Callable[[RunConfig, Dataset, torch.device, Callable[[], None]], Trial]
_known: dict[tuple[RunConfig, tuple[str, ...]], tuple[float, Choice]] = {}


class StepsTried:
    """`Trial` of a run's real steps, as `trainer` takes them, on a network of its own."""

    def __init__(
        self, config: RunConfig, data: Dataset, device: torch.device, go_on: Callable[[], None] = lambda: None
    ) -> None:
        check_fits(config, device)
        make_current(device)
        network = build(config, device=device, dataset=data.info)
        graphs = graphs_of(device)
        self._parts = parts = prepare(config, data, network, device, for_graphs=graphs is not None)
        self._config, self._device, self._progress, self._go_on = config, device, Progress(config), go_on
        self._threads = _threads(config, data) if device.type == "cpu" else torch.get_num_threads()
        self._running = _steps(Steps(config, parts, graphs, lambda sentence: None), self._progress, parts.capacity)

    def seconds_a_step(self, least: int, seconds: float) -> float:
        """See `Trial`."""
        recorder, progress, before = self._parts.recorder, self._progress, torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            with products(self._config, self._device):
                first, began = progress.step, time.perf_counter()
                while progress.step - first < least or time.perf_counter() - began < seconds:
                    next(self._running)
                    if len(recorder) >= self._parts.capacity:
                        recorder.take()
                    self._go_on()
                recorder.take()  # which waits for the device
                return (time.perf_counter() - began) / (progress.step - first)
        finally:
            torch.set_num_threads(before)

    def close(self) -> None:
        """See `Trial`."""
        self._running.close()


def _steps(steps: Steps, progress: Progress, capacity: int) -> Generator[None, None, None]:
    for epoch in count(1):
        progress.begin_epoch(epoch)
        yield from steps.epoch(progress, lambda: capacity)


def _threads(config: RunConfig, data: Dataset) -> int:
    """With how many the run would begin on the CPU."""
    flops = 6.0 * config.batch_size * sum(layer.parameters for layer in catalogue.layer_plan(config, data.info))
    count = ThreadCount(config.threads, flops, "cpu", CoreMeter(), apply=lambda number: None)
    count.choose()
    return count.number


def choose(
    config: RunConfig,
    data: Dataset,
    go_on: Callable[[], None] = lambda: None,
    tell: Callable[[str, float | None], None] = lambda message, fraction: None,
    *,
    names: tuple[str, ...] | None = None,
    kept: Checkpoint | None = None,
    attempt: Attempt = StepsTried,
    clock: Callable[[], float] = time.monotonic,
) -> Choice:
    """Where to train `config` on `data`.

    `go_on` is called between steps: what it raises passes. `tell` is told that devices are tried. `names` are those in
    question, `candidates` by default; a run that goes on from what is `kept` stays on the kind that it was trained on.
    `attempt` begins a trial on a device, and one whose trial fails is not taken.

    Raises:
        DeviceError: where the device that `config` names is not there.
    """
    names = candidates(config) if names is None else names
    if kept is not None:
        names = tuple(name for name in names if torch.device(name).type in _kinds(kept)) or names
    if len(names) == 1:
        return Choice(torch.device(names[0]), "")
    key = (msgspec.structs.replace(config, seed=0, lr=1.0, data_dir=None), names)
    if key in _known and clock() - _known[key][0] < LASTS:
        return _known[key][1]
    tell(_("trying which device is faster"), None)
    with torch.random.fork_rng(devices=[]):  # a GPU's generator is seeded when the run's network is built
        choice = _try(config, data, go_on, names, attempt)
    _known[key] = (clock(), choice)
    return choice


def _kinds(kept: Checkpoint) -> tuple[str, ...]:
    """The kinds of device that it may have been trained on: an earlier version told only whether it was CUDA."""
    if kept.device:
        return (kept.device,)
    return ("cpu", "mps") if kept.random_cuda is None else ("cuda",)


def _try(
    config: RunConfig, data: Dataset, go_on: Callable[[], None], names: tuple[str, ...], attempt: Attempt
) -> Choice:
    gpu = names[0]
    with contextlib.ExitStack() as stack:

        def begin(name: str) -> Trial:
            trial = attempt(config, data, torch.device(name), go_on)
            stack.callback(trial.close)
            return trial

        try:
            cpu = begin("cpu")
            best = {"cpu": cpu.seconds_a_step(1, 0.0)}
            if best["cpu"] < SECONDS:
                best["cpu"] = min(best["cpu"], cpu.seconds_a_step(WARM, 0.0))
        except _FAILURES as error:
            return _without("cpu", gpu, error)
        if (takes := best["cpu"] * config.total_steps) < SHORT:
            said = _("device auto: cpu, which does all of it in about {seconds} s, sooner than {gpu} would have begun")
            return Choice(torch.device("cpu"), said.format(seconds=number(takes, 1), gpu=gpu))
        try:
            other = begin(gpu)
            other.seconds_a_step(WARM, 0.0)
            for _round in range(ROUNDS):
                for name, trial in ((gpu, other), ("cpu", cpu)):
                    if name == gpu or best["cpu"] < SECONDS:
                        seconds = trial.seconds_a_step(1, SECONDS)
                        best[name] = min(best.get(name, seconds), seconds)
        except _FAILURES as error:
            return _without(gpu, "cpu", error)
    (fast, one), (slow, two) = sorted(best.items(), key=lambda item: item[1])
    if fast == gpu and two < FASTER * one:
        said = _("device auto: cpu, with {few} steps/s of this network; {gpu} makes {many}, hardly more")
        return Choice(torch.device("cpu"), said.format(gpu=gpu, few=rate(1 / two), many=rate(1 / one)))
    said = _("device auto: {fast}, with {many} steps/s of this network; {slow} makes {few}")
    return Choice(torch.device(fast), said.format(fast=fast, many=rate(1 / one), slow=slow, few=rate(1 / two)))


def _without(failed: str, taken: str, error: Exception) -> Choice:
    why = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    said = _("device auto: {taken}, since {failed} cannot be used: {why}")
    return Choice(torch.device(taken), said.format(taken=taken, failed=failed, why=printable(why, MAX_WHY)))

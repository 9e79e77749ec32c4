"""What a network's weights were at moments of its training, for the pictures of those moments.

history = WeightHistory(config, network, sink, failed)      # sink: who stores it; None where nobody does
if step >= history.next: history.take(step)
write(file, config, history.kept)           # any binary file; names and renaming are the store's business
read(path, config) -> kept                  # only tensors and plain values are ever unpickled
"""

from __future__ import annotations

import io
import math
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from d2ltui.engine import tensor_file
from d2ltui.engine.checkpoint import CheckpointError, checksum
from d2ltui.nn import Network
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.versions import differing_fields, plain_config, read_config

FORMAT = "d2ltui weights"
VERSION = 1
# Moments of a run, and those of a network of which more would take more than A_FEW_BYTES; and bytes, at most. A network
# of which fewer than FEWEST fit is not kept at all.
MOST, MANY, A_FEW_BYTES = 64, 32, 2**20
MOST_BYTES, FEWEST = 8 * 2**20, 4
# Of the thread's time that copying may take, and seconds that it may at once: a short run needs them all.
SHARE, AT_ONCE = 0.003, 0.008
SHORT = 4096  # steps of a run whose moments are taken where they stay: it may be over before there is time for others
# Seconds between two times that it is stored, and the share of the time that this may take.
STORE_EVERY, STORE_SHARE = 5.0, 0.005


class Weights(NamedTuple):
    """A network's state after `step` steps: copies on the CPU."""

    step: int
    state: dict[str, Tensor]


Kept: TypeAlias = tuple[Weights, ...]


class WeightSink(Protocol):
    """Who stores them. Everything but `past_weights` returns at once."""

    def past_weights(self) -> Kept:
        """What was kept of the run before it was resumed."""

    @property
    def weights_idle(self) -> bool:
        """Whether what was given last has been stored, or given up."""

    @property
    def weights_took(self) -> float:
        """Seconds of processor time that storing it took."""

    def keep_weights(self, write: Callable[[BinaryIO], object]) -> None:
        """Store what `write` writes, in place of what was stored before."""


class WeightHistory:
    """At most MOST moments of one training, from its first to its last.

    They lie evenly over the square root of the steps: closer at the beginning, where a network changes most. When there
    are too many, the one is left out that is missed least. From SHORT steps on, they are taken as close as those that
    stay will lie. Copies are made while they take `SHARE` of the time.

    `next` is the step from which `take` is due, infinite where it never is: of a network that is too large, or where
    there is no sink and it is not `wanted` either. `failed` is told, once, what is no longer done, and why.
    """

    def __init__(
        self,
        config: RunConfig,
        network: Network,
        sink: WeightSink | None,
        failed: Callable[[str, Exception], None],
        *,
        wanted: bool = True,
    ) -> None:
        self._config, self._network, self._sink, self._failed = config, network, sink, failed
        self._most = most_of(size_of(network.state_dict())) if wanted or sink is not None else 0
        self._short = min(config.total_steps, SHORT)
        self.kept: Kept = ()  # replaced by another, never changed
        self.next: float = 0 if self._most else math.inf
        # This thread's own time: on a busy machine everything takes as many times longer.
        self._spent, self._began = 0.0, time.thread_time()
        self._stored: Kept = self.kept
        self._stored_at = time.perf_counter()

    def take(self, step: int) -> None:
        """Keep the weights after `step` steps, where that is due."""
        if step < self.next:
            return
        began = time.thread_time()
        if self._spent <= AT_ONCE + SHARE * (began - self._began):
            self._add(step)
        if self._most:  # else it has just been given up
            self.next = step + max(1, int(2 * math.sqrt(step * max(step, self._short)) / self._most))
        self._spent += time.thread_time() - began

    def _add(self, step: int) -> None:
        try:
            state = self._network.state_dict().items()
            now = Weights(step, {name: v.clone() if v.is_cpu else v.to("cpu") for name, v in state})
            kept = [*(one for one in self.kept if one.step < step), now]
            if len(kept) > self._most:
                del kept[least_missed([one.step for one in kept])]
            self.kept = tuple(kept)
        except Exception as error:  # a device's memory, another package's network
            self._give_up(error)

    def pause(self, step: int) -> None:
        """The run stands still after `step` steps: keep that, and store it."""
        if self._most:
            self._add(step)
        if self._sink is not None and self._sink.weights_idle:
            self._hand_over(self._sink)

    def store(self) -> None:
        """Hand over what there is, where that is due."""
        passed = time.perf_counter() - self._stored_at
        if (sink := self._sink) is None or passed < STORE_EVERY:
            return
        if passed >= sink.weights_took / STORE_SHARE and sink.weights_idle:
            self._hand_over(sink)

    def _hand_over(self, sink: WeightSink) -> None:
        if self.kept is self._stored:
            return
        self._stored, self._stored_at = self.kept, time.perf_counter()
        try:
            sink.keep_weights(partial(write, config=self._config, kept=self.kept))
        except Exception as error:
            self._give_up(error)

    def go_on_from(self, step: int) -> None:
        """The run goes on after `step` steps, and so does what was kept before."""
        if self._most and self._sink is not None:
            past = tuple(one for one in self._sink.past_weights() if one.step < step)
            self.kept, self.next = past[-self._most :], step

    def end(self, step: int, *, broken: bool) -> None:
        """The training is over after `step` steps; `broken`: with weights that were trained further, to no end."""
        self.kept = tuple(one for one in self.kept if one.step <= step)
        if self._most and not broken:
            self._add(step)
        self.next = math.inf
        if self._sink is not None:
            self._hand_over(self._sink)

    def at(self, step: int) -> Weights | None:
        """See the function."""
        return at(self.kept, step)

    def _give_up(self, error: Exception) -> None:
        self._sink, self._most, self.next = None, 0, math.inf
        self._failed(_("keeping the weights of earlier steps"), error)


def at(kept: Kept, step: int) -> Weights | None:
    """The last weights that were kept until `step`, else the first ones after it; None without any."""
    return kept[max(0, bisect_right(kept, step, key=lambda one: one.step) - 1)] if kept else None


def size_of(state: dict[str, Tensor]) -> int:
    """Bytes of a network's state."""
    return sum(value.numel() * value.element_size() for value in state.values())


def most_of(size: int) -> int:
    """How many moments are kept of a network whose state has so many bytes: 0 where it is too large for that."""
    if size * MOST <= A_FEW_BYTES:
        return MOST
    most = min(MANY, MOST_BYTES // size)
    return most if most >= FEWEST else 0


def too_large(network: Network) -> str:
    """That no moments are kept of `network`, where it is too large for that; else ""."""
    state = network.state_dict()
    if most_of(size_of(state)):
        return ""
    number = sum(value.numel() for value in state.values())
    return _("a network of {number:,} weights is too large to be kept at earlier steps").format(number=number)


def least_missed(steps: Sequence[int]) -> int:
    """The index of the one between neighbours that lie closest, in the square roots of their steps; not an end's."""
    roots = [math.sqrt(step) for step in steps]
    gaps = [after - before for before, after in zip(roots, roots[2:], strict=False)]
    return 1 + gaps.index(min(gaps))


def write(file: BinaryIO, config: RunConfig, kept: Kept) -> None:
    """Write what was kept of a run of `config` as PyTorch's own format, with a checksum of everything."""
    values = {
        "config": plain_config(config),
        "steps": torch.tensor([one.step for one in kept]),
        "model": {name: _stacked([one.state[name] for one in kept]) for name in kept[0].state},
    }
    buffer = io.BytesIO()  # of a disk that is full, PyTorch's own writer tells in its own words
    torch.save({"format": FORMAT, "version": VERSION, "checksum": checksum(values), **values}, buffer)
    file.write(buffer.getbuffer())


def _stacked(values: Sequence[Tensor]) -> Tensor:
    """As `torch.stack`, by this thread alone.

    PyTorch would share it out to threads that this one gets for itself. With them there are more threads than cores,
    and OpenMP lets all that wait sleep from then on: those of the training, too, whose steps take a third longer.
    """
    return torch.from_numpy(np.stack([value.numpy() for value in values]))


def read(path: Path, config: RunConfig) -> Kept:
    """What was kept of the run that `config` describes; nothing where there is no file. Nothing in it is executed.

    Raises:
        CheckpointError: where it is damaged, newer than this program, or of another run.
    """
    try:
        found = tensor_file.load(path, MOST_BYTES + 2**20)
    except FileNotFoundError:
        return ()
    except tensor_file.UnreadableError as error:
        raise CheckpointError(f"{path.name} {error}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT or found.get("version") != VERSION:
        raise CheckpointError(_("{name} is not of this version of d2ltui").format(name=path.name))
    damaged = CheckpointError(_("{name} is damaged").format(name=path.name))
    try:
        values = {name: value for name, value in found.items() if name not in ("format", "version", "checksum")}
        steps, model = values["steps"].tolist(), values["model"]
        right = found.get("checksum") == checksum(values) and _fit_together(steps, model, config.total_steps)
        other = differing_fields(read_config(values["config"]), config)
    except Exception:  # values of other kinds than were written
        raise damaged from None
    if not right or other:
        raise damaged
    return tuple(Weights(step, {name: model[name][at] for name in model}) for at, step in enumerate(steps))


def _fit_together(steps: list[int], model: dict[str, Tensor], last: int) -> bool:
    """Whether they are moments of a run of `last` steps in order, with the weights of each."""
    return (
        0 < len(steps) <= MOST
        and all(type(step) is int for step in steps)
        and all(before < after for before, after in zip([-1, *steps], [*steps, last + 1], strict=True))
        and bool(model)
        and all(len(value) == len(steps) for value in model.values())
    )

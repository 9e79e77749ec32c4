"""Checkpoints: everything that a run needs to go on as if nothing had happened.

A `Checkpoint` is a copy of a training between two steps: weights, the optimiser's state, the states of the random
numbers, and the position in the data order. On a CPU (with as many threads) the run that goes on from it ends with the
weights of the run that was never interrupted, bit for bit.

    checkpoint.write(file)              # any binary file; names and renaming are the store's business
    read(path, config) -> Checkpoint    # only tensors and plain values are ever unpickled
    CheckpointSchedule(keeper)          # when the trainer makes one, and what that may cost: not after each epoch
"""

from __future__ import annotations

import dataclasses
import io
import math
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import thread_time
from typing import Annotated, Any, BinaryIO, Protocol

import msgspec
import torch
from torch import Tensor

from d2ltui.engine import tensor_file
from d2ltui.spec import catalogue, events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.datasets import DescriptionError
from d2ltui.spec.language import _
from d2ltui.spec.text import printable
from d2ltui.spec.versions import differing_fields, plain_config, read_config

FORMAT = "d2ltui checkpoint"
VERSION = 1
_OPTIONAL = {"threads", "device"}  # which checkpoints of earlier versions lack
# Seconds between two checkpoints at ends of epochs, and within an epoch.
EPOCH_EVERY = 1.0
STEP_EVERY = 2.0
SHARE = 0.005  # of the time that checkpoints may take: a large model's are further apart
MAX_SENTENCE = 2000  # characters: two paths may be long
MAX_EPOCHS = 1000  # whose figures a checkpoint holds: the last ones


class CheckpointError(ValueError):
    """A checkpoint from which no run can go on; the message is one sentence, and fit to be shown."""

    def __init__(self, sentence: str) -> None:
        super().__init__(printable(sentence, MAX_SENTENCE))


@dataclass(frozen=True)
class Checkpoint:
    """A training between two steps. Tensors are copies on the CPU.

    `epoch` counts from 1 and is the one in which `batch` batches have been trained on. `order` is the state of the
    data order's generator when that epoch began, `random` that of PyTorch's own, `random_cuda` the device's where
    there is one. `sums` are loss × samples, metric × samples and samples of the epoch so far. `epochs` are the figures
    of the last epochs, (n, 7) float64, in the order of `events.EpochEnded`'s fields. `data` are the number of training
    samples, that of inputs, and a checksum of the labels.
    """

    config: RunConfig
    step: int
    epoch: int
    batch: int
    seconds: float
    lr: float
    sums: tuple[float, float, float]
    epochs: Tensor
    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    order: Tensor
    random: Tensor
    random_cuda: Tensor | None
    data: tuple[int, int, int]
    threads: int = 0  # with which the step before it was computed; 0 where an earlier version did not tell
    device: str = ""  # its kind, such as cuda; "" where an earlier version did not tell

    def history(self) -> list[events.EpochEnded]:
        """The last epochs."""
        return [
            events.EpochEnded(int(row[0]), int(row[1]), row[2], row[3], row[4], row[5], row[6])
            for row in self.epochs.tolist()
        ]

    def write(self, file: BinaryIO) -> None:
        """Write it as PyTorch's own format, with a checksum of everything."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values["config"] = plain_config(self.config)
        buffer = io.BytesIO()  # of a disk that is full, PyTorch's own writer tells in its own words
        torch.save({"format": FORMAT, "version": VERSION, "checksum": checksum(values), **values}, buffer)
        file.write(buffer.getbuffer())


def epochs_tensor(epochs: Sequence[events.EpochEnded]) -> Tensor:
    """The figures of the last epochs, as a checkpoint holds them."""
    rows = [msgspec.structs.astuple(epoch) for epoch in epochs[-MAX_EPOCHS:]]
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, 7)


def fingerprint(x: Tensor, y: Tensor) -> tuple[int, int, int]:
    """What identifies training data x (n, num_inputs), y (n, ...) well enough to notice that they are others."""
    return len(x), x.shape[1], zlib.crc32(y.detach().cpu().contiguous().numpy().tobytes())


def to_cpu(value: Any) -> Any:
    """`value`, a state of nested dicts and lists, with every tensor copied to the CPU."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: to_cpu(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(to_cpu(item) for item in value)
    return value


def checksum(value: Any, crc: int = 0) -> int:
    """Of every tensor and plain value in `value`, wherever it stands."""
    if isinstance(value, Tensor):
        head = f"{value.dtype}{tuple(value.shape)}"
        return zlib.crc32(value.detach().contiguous().numpy().tobytes(), zlib.crc32(head.encode(), crc))
    if isinstance(value, dict):
        for key in sorted(value, key=repr):
            crc = checksum(value[key], zlib.crc32(repr(key).encode(), crc))
        return crc
    if isinstance(value, (list, tuple)):
        for item in value:
            crc = checksum(item, crc)
        return crc
    return zlib.crc32(repr(value).encode(), crc)


# What the fields of a Checkpoint are, for `msgspec.convert`; `config` is converted apart.
_Count = Annotated[int, msgspec.Meta(ge=0)]
_KINDS: dict[str, Any] = {
    "step": _Count,
    "epoch": Annotated[int, msgspec.Meta(ge=1)],
    "batch": _Count,
    "seconds": float,
    "lr": float,
    "sums": tuple[float, float, float],
    "epochs": Tensor,
    "model": dict[str, Tensor],
    "optimizer": dict[str, Any],
    "order": Tensor,
    "random": Tensor,
    "random_cuda": Tensor | None,
    "data": tuple[int, int, int],
    "threads": _Count,
    "device": str,
}


def read(path: Path, config: RunConfig) -> Checkpoint:
    """The checkpoint in `path`, of the run that `config` describes. Nothing in the file is executed.

    Raises:
        CheckpointError: where it is damaged, newer than this program, or of another run.
        FileNotFoundError: where there is none.
    """
    try:
        found = tensor_file.load(path, _most_bytes(config))
    except tensor_file.UnreadableError as error:
        raise CheckpointError(_("checkpoint: {path} {reason}").format(path=path, reason=error)) from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise CheckpointError(_("checkpoint: {path} is not a checkpoint of d2ltui").format(path=path))
    version = found.get("version")
    if not isinstance(version, int) or version > VERSION:
        newer = _("checkpoint: {path} was written by a newer d2ltui (version {version}); this one reads {ours}").format(
            path=path, version=version, ours=VERSION
        )
        raise CheckpointError(newer)
    names = [field.name for field in dataclasses.fields(Checkpoint)]
    # Whatever else another version has put there is part of the checksum, and of no use here.
    every = {name: value for name, value in found.items() if name not in ("format", "version", "checksum")}
    values = {name: every[name] for name in names if name in every}
    try:
        missing = [name for name in names if name not in values and name not in _OPTIONAL]
        differs = missing or found.get("checksum") != checksum(every)
    except Exception as error:  # a tensor of a kind that no checkpoint has
        raise CheckpointError(
            _("checkpoint: {path} is damaged ({reason})").format(path=path, reason=_first_line(error))
        ) from None
    if differs:
        raise CheckpointError(_("checkpoint: {path} is damaged (its checksum differs)").format(path=path))
    try:
        values["config"] = read_config(values["config"])
        # Of whom the checksum is right may still be another program: what a field cannot be is found out here.
        for name, kind in _KINDS.items():
            if name not in values:
                continue
            try:
                values[name] = msgspec.convert(values[name], kind)
            except (msgspec.ValidationError, AttributeError) as error:  # msgspec takes a tensor for a mapping
                raise TypeError(f"{name}: {error}") from None
        if values["epochs"].dim() != 2 or values["epochs"].shape[1] != len(events.EpochEnded.__struct_fields__):
            raise TypeError(f"epochs: a tensor of shape {tuple(values['epochs'].shape)}")
        checkpoint = Checkpoint(**values)
        _check_position(checkpoint)
    except (msgspec.ValidationError, TypeError, KeyError, DescriptionError, UnicodeError) as error:  # lone surrogates
        raise CheckpointError(
            _("checkpoint: {path} is damaged ({reason})").format(path=path, reason=_first_line(error))
        ) from None
    if others := differing_fields(checkpoint.config, config):
        raise CheckpointError(
            _("checkpoint: {path} is of another run (its {others} differs)").format(path=path, others=", ".join(others))
        )
    return checkpoint


def _check_position(checkpoint: Checkpoint) -> None:
    """That it is a moment of its run: what came before it has a place in memory for every step. Raises TypeError."""
    config, rows = checkpoint.config, checkpoint.epochs[:, :2]
    if checkpoint.step > config.total_steps or checkpoint.epoch > config.epochs + 1:
        raise TypeError(f"step {checkpoint.step} in epoch {checkpoint.epoch}, of {config.total_steps} steps")
    if not (0 <= checkpoint.seconds < math.inf and 0 < checkpoint.lr < math.inf):
        raise TypeError(f"{checkpoint.seconds} seconds, learning rate {checkpoint.lr}")
    most = torch.tensor([config.epochs, config.total_steps])
    if len(rows) > MAX_EPOCHS or not bool(((rows >= 1) & (rows <= most)).all()):
        raise TypeError("epochs: not those of this run")


def _most_bytes(config: RunConfig) -> int:
    """More than a checkpoint of the run can have: weights, two numbers for each by the optimiser, and the rest."""
    plain = msgspec.structs.replace(config, activation="identity")  # which has no weights, whatever it is
    return 32 * sum(layer.parameters for layer in catalogue.layer_plan(plain)) + 16 * 2**20


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".")[:120] if lines else type(error).__name__


class CheckpointSink(Protocol):
    """Who stores checkpoints. Both methods return at once."""

    @property
    def idle(self) -> bool:
        """Whether the last checkpoint has been stored, or given up."""

    @property
    def took(self) -> float:
        """Seconds of processor time that storing the last one took: waiting for a disk keeps nobody from work."""

    def keep(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint, after everything that the run's sinks have been told before."""


class CheckpointSchedule:
    """When a checkpoint is due: at the end of an epoch, long after the last one, or asked for.

    At the start, at a pause, and when the run finishes or is stopped, by whom ever, one is made in any case: `keep`
    asks nothing. (Weights that have diverged, or a step that has failed, are not worth the place of the last good one.)
    Between those, the end of an epoch is worth one only a second after the last one (EPOCH_EVERY): an epoch may take
    milliseconds, as long as it takes a disk to have one for certain. Within an epoch it is two (STEP_EVERY). Where a
    checkpoint takes the training or a processor long, they are so far apart that they take 0.5 % of the time (SHARE),
    and none is made before the disk has the last one. That much, then, is trained again of a run whose process was
    killed outright.

    Where one cannot be made or handed over, `failed` is told why, and there are no more: the training goes on.
    """

    def __init__(self, keeper: CheckpointSink | None, failed: Callable[[Exception], None] | None = None) -> None:
        self._keeper, self._failed = keeper, failed
        self._kept = time.perf_counter()
        self._took = 0.0

    def due(self, *, within_epoch: bool) -> bool:
        """Whether it is time for one. Costs next to nothing."""
        if self._keeper is None:
            return False
        least = STEP_EVERY if within_epoch else EPOCH_EVERY
        passed = time.perf_counter() - self._kept
        return passed >= least and passed >= (self._took + self._keeper.took) / SHARE and self._keeper.idle

    def keep(self, take: Callable[[], Checkpoint]) -> None:
        """Make a checkpoint with `take`, and hand it over."""
        if self._keeper is None:
            return
        # This thread's own time, as of the keeper's: on a busy machine everything else takes as many times longer.
        began = thread_time()
        try:
            self._keeper.keep(take())
        except Exception as error:
            if self._failed is None:
                raise
            self._keeper = None
            self._failed(error)
            return
        self._took = thread_time() - began
        self._kept = time.perf_counter()

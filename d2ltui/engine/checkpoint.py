"""Checkpoints: everything that a run needs to go on as if nothing had happened.

A `Checkpoint` is a copy of a training between two steps: weights, the optimiser's state, the states of the random
numbers, and the position in the data order. On a CPU (with as many threads) the run that goes on from it ends with the
weights of the run that was never interrupted, bit for bit.

    checkpoint.write(file)              # any binary file; names and renaming are the store's business
    read(path, config) -> Checkpoint    # only tensors and plain values are ever unpickled
    Pace(keeper)                        # when the trainer makes one, and what that may cost: not after each epoch
"""

from __future__ import annotations

import dataclasses
import errno
import io
import pickle
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Protocol

import msgspec
import torch
from torch import Tensor

from d2ltui.spec import events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.versions import differing_fields, plain_config, read_config

FORMAT = "d2ltui checkpoint"
VERSION = 1
_HEAD = b"PK\x03\x04"  # how the archives begin that PyTorch writes
# Seconds between two checkpoints at ends of epochs, and within an epoch.
EPOCH_EVERY = 1.0
STEP_EVERY = 10.0
SHARE = 0.005  # of the time that checkpoints may take: a large model's are further apart
MAX_EPOCHS = 1000  # whose figures a checkpoint holds: the last ones


class CheckpointError(ValueError):
    """A checkpoint from which no run can go on; the message is one sentence."""


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
        torch.save({"format": FORMAT, "version": VERSION, "checksum": _checksum(values), **values}, buffer)
        file.write(buffer.getbuffer())


def epochs_tensor(epochs: Sequence[events.EpochEnded]) -> Tensor:
    """The figures of the last epochs, as a checkpoint holds them."""
    rows = [msgspec.structs.astuple(epoch) for epoch in epochs[-MAX_EPOCHS:]]
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, 7)


def data_mark(x: Tensor, y: Tensor) -> tuple[int, int, int]:
    """What identifies training data x (n, num_inputs), y (n, ...) well enough to notice that they are others."""
    return len(x), x.shape[1], zlib.crc32(y.detach().cpu().contiguous().numpy().tobytes())


def copied(value: Any) -> Any:
    """`value`, a state of nested dicts and lists, with every tensor copied to the CPU."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(copied(item) for item in value)
    return value


def _checksum(value: Any, crc: int = 0) -> int:
    if isinstance(value, Tensor):
        head = f"{value.dtype}{tuple(value.shape)}"
        return zlib.crc32(value.detach().contiguous().numpy().tobytes(), zlib.crc32(head.encode(), crc))
    if isinstance(value, dict):
        for key in sorted(value, key=repr):
            crc = _checksum(value[key], zlib.crc32(repr(key).encode(), crc))
        return crc
    if isinstance(value, (list, tuple)):
        for item in value:
            crc = _checksum(item, crc)
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
}


def read(path: Path, config: RunConfig) -> Checkpoint:
    """The checkpoint in `path`, of the run that `config` describes. Nothing in the file is executed.

    Raises:
        CheckpointError: where it is damaged, newer than this program, or of another run.
        FileNotFoundError: where there is none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about files that are no checkpoint of ours
            found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # whatever PyTorch makes of arbitrary bytes
        raise CheckpointError(f"checkpoint: {path} {_unreadable(path, error)}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise CheckpointError(f"checkpoint: {path} is not a checkpoint of d2ltui")
    version = found.get("version")
    if not isinstance(version, int) or version > VERSION:
        newer = f"checkpoint: {path} was written by a newer d2ltui (version {version}); this one reads {VERSION}"
        raise CheckpointError(newer)
    names = [field.name for field in dataclasses.fields(Checkpoint)]
    # Whatever else another version has put there is part of the checksum, and of no use here.
    every = {name: value for name, value in found.items() if name not in ("format", "version", "checksum")}
    values = {name: every[name] for name in names if name in every}
    try:
        differs = len(values) < len(names) or found.get("checksum") != _checksum(every)
    except Exception as error:  # a tensor of a kind that no checkpoint has
        raise CheckpointError(f"checkpoint: {path} is damaged ({_first_line(error)})") from None
    if differs:
        raise CheckpointError(f"checkpoint: {path} is damaged (its checksum differs)")
    try:
        values["config"] = read_config(values["config"])
        # Of whom the checksum is right may still be another program: what a field cannot be is found out here.
        for name, kind in _KINDS.items():
            try:
                values[name] = msgspec.convert(values[name], kind)
            except msgspec.ValidationError as error:
                raise TypeError(f"{name}: {error}") from None
        if values["epochs"].dim() != 2 or values["epochs"].shape[1] != len(events.EpochEnded.__struct_fields__):
            raise TypeError(f"epochs: a tensor of shape {tuple(values['epochs'].shape)}")
        checkpoint = Checkpoint(**values)
    except (msgspec.ValidationError, TypeError, KeyError) as error:
        raise CheckpointError(f"checkpoint: {path} is damaged ({_first_line(error)})") from None
    if others := differing_fields(checkpoint.config, config):
        raise CheckpointError(f"checkpoint: {path} is of another run (its {', '.join(others)} differs)")
    return checkpoint


def _unreadable(path: Path, error: Exception) -> str:
    """What is wrong with a file that PyTorch cannot read: its own words are about archives, or about how to read it
    all the same.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(len(_HEAD))
        if not head:
            return "is damaged (it is empty)"
        if head != _HEAD:
            return "is not a checkpoint of d2ltui"
        if not zipfile.is_zipfile(path):
            return "is damaged (its end is cut off)"
        with zipfile.ZipFile(path) as archive:
            whole = archive.testzip() is None
    except OSError as failure:
        # Where an archive's directory points before the file's beginning, Python tells of that as an invalid argument.
        if failure.errno != errno.EINVAL:
            return f"cannot be read ({failure.strerror or _first_line(failure)})"
        whole = False
    except Exception:  # whatever Python makes of arbitrary bytes
        whole = False
    if not whole:
        return "is damaged (its bytes are not those that were written)"
    if isinstance(error, pickle.UnpicklingError):
        return "cannot be read (it holds more than tensors and plain values, and nothing else is read from a file)"
    return f"cannot be read ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".")[:120] if lines else type(error).__name__


class Keeper(Protocol):
    """Who stores checkpoints. Both methods return at once."""

    @property
    def idle(self) -> bool:
        """Whether the last checkpoint has been stored, or given up."""

    @property
    def took(self) -> float:
        """Seconds that storing the last one took."""

    def keep(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint, after everything that the run's sinks have been told before."""


class Pace:
    """When a checkpoint is due: at the end of an epoch, long after the last one, or asked for.

    At the start, at a pause, and when the run finishes or is stopped, by whom ever, one is made in any case: `keep`
    asks nothing. (Weights that have diverged, or a step that has failed, are not worth the place of the last good one.)
    Between those, the end of an epoch is worth one only a second after the last one (EPOCH_EVERY): an epoch may take
    milliseconds, as long as it takes a disk to have one for certain. Within an epoch it is ten (STEP_EVERY). Where a
    checkpoint takes long, they are so far apart that they take 0.5 % of the time (SHARE). That much, then, is trained
    again of a run whose process was killed outright.
    """

    def __init__(self, keeper: Keeper | None) -> None:
        self._keeper = keeper
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
        began = time.perf_counter()
        self._keeper.keep(take())
        self._kept = time.perf_counter()
        self._took = self._kept - began

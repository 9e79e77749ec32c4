"""Where to train."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from d2ltui.nn.seeds import derive_seed
from d2ltui.spec.catalogue import PRECISIONS, PRECISIONS_ON
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.memory import check_memory, needed, too_large
from d2ltui.spec.parsing import ConfigError


class DeviceError(ValueError):
    """A device that this machine has not; the message is one sentence."""


class PrecisionError(DeviceError):
    """A precision that the device has not; the message is one sentence."""


def available() -> tuple[str, ...]:
    """The devices of this machine, best first."""
    names = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        names.append("mps")
    return (*names, "cpu")


def select(name: str) -> torch.device:
    """The device called `name`; for `auto` the best there is.

    Raises:
        DeviceError: where there is none of that name.
    """
    names = available()
    if name == "auto":
        return torch.device(names[0])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in names:
        kind = name.partition(":")[0]
        there = sum(other.startswith(kind) for other in names)
        why = _("this machine has {there} {upper} device(s)").format(there=there, upper=kind.upper())
        if not there:
            why = _("PyTorch finds no {upper} device on this machine").format(upper=kind.upper())
        raise DeviceError(
            _("device: '{name}' is not available ({why}); allowed here: auto, {names}").format(
                name=name, why=why, names=", ".join(names)
            )
        )
    return torch.device(wanted)


def candidates(config: RunConfig) -> tuple[str, ...]:
    """The devices that a run may be trained on: for `auto` the first GPU and the CPU, where they have its precision.

    Raises:
        DeviceError: where there is none.
    """
    names = tuple(dict.fromkeys((available()[0], "cpu"))) if config.device == "auto" else (str(select(config.device)),)
    if config.precision == "fp32":
        return names
    if fitting := tuple(name for name in names if config.precision in precisions(name)):
        return fitting
    allowed = ", ".join(precisions(names[-1]))
    said = _("precision: '{value}' is not allowed on {device}; allowed there: {allowed}")
    raise PrecisionError(said.format(value=config.precision, device=names[-1], allowed=allowed))


def precisions(name: str) -> tuple[str, ...]:
    """Those in which the device called `name`, which is there, multiplies."""
    if name in PRECISIONS_ON:
        return PRECISIONS_ON[name]
    return tuple(PRECISIONS) if torch.cuda.get_device_capability(name) >= (8, 0) else ("fp32",)


@contextlib.contextmanager
def products(config: RunConfig, device: torch.device) -> Iterator[None]:
    """While it is entered, this process multiplies float32 on an NVIDIA GPU as the run says: in TF32, or not.

    Without it, convolutions would be computed in TF32, and nothing else. (bfloat16 is the network's own business.)
    """
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if config.precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = config.precision == "tf32"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def make_current(device: torch.device) -> None:
    """Let what names no device use this one, in the present thread, where it is a CUDA device.

    Otherwise that is the first one: pinned memory, for one, would begin a context there that takes memory of a GPU on
    which nothing is trained.
    """
    if device.type == "cuda":
        torch.cuda.set_device(device)


def seed_dropout(seed: int, device: torch.device) -> None:
    """Let dropout on `device`, which draws from PyTorch's own generators, begin as a run with `seed` does."""
    number = derive_seed(seed, "dropout")
    if device.type == "cpu":
        # torch.manual_seed notes the call stack for devices that are not there: in a small run, longer than a step.
        torch.default_generator.manual_seed(number)
    else:
        torch.manual_seed(number)


def place(x: Tensor, y: Tensor, device: torch.device) -> tuple[Tensor, Tensor, str]:
    """Training data where it is used, and where that is: on the device while half of its free memory holds it.

    Else it stays where it is, and each block of batches goes through pinned memory of its own.
    """
    if device.type == "cpu":
        return x, y, _("in memory")
    if device.type == "cuda":
        free, __ = torch.cuda.mem_get_info(device)
        # What earlier runs have left is PyTorch's still, and free for this one.
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        if x.nbytes + y.nbytes > free // 2:
            return x, y, _("streamed to the device")
    return x.to(device), y.to(device), _("on the device")


def check_fits(config: RunConfig, device: torch.device) -> None:
    """That there is memory for a run, before anything of it is built.

    Raises:
        ConfigError: with one sentence, where there is not.
    """
    check_memory(config, loaded=True)
    if device.type == "cuda":
        free, __ = torch.cuda.mem_get_info(device)
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # kept, and not in use
        if (takes := needed(config, checkpoint=False)) > free:
            raise ConfigError([too_large(config, takes, free, _("the memory of {device}").format(device=device))])

"""Where to train."""

from __future__ import annotations

import torch


class DeviceError(ValueError):
    """A device that this machine has not; the message is one sentence."""


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
        why = f"PyTorch finds no {name.partition(':')[0].upper()} device on this machine"
        if wanted.startswith("cuda:") and torch.cuda.is_available():
            why = f"this machine has {torch.cuda.device_count()} CUDA device(s)"
        raise DeviceError(f"device: '{name}' is not available ({why}); allowed here: auto, {', '.join(names)}")
    return torch.device(wanted)

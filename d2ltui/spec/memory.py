"""Whether a run fits into memory, before anything of it is built."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import size
from d2ltui.spec.optimizers import OPTIMIZERS
from d2ltui.spec.parsing import ConfigError, Problem, wrong

SMALL = 256 * 2**20  # bytes: what takes less is not asked about
_FLOAT = 4  # bytes


def weights(config: RunConfig) -> int:
    """Bytes of the network's parameters."""
    return _FLOAT * sum(layer.parameters for layer in catalogue.layer_plan(config))


def activations(config: RunConfig) -> int:
    """Bytes of the outputs of the layers with weights for a batch, and of their gradients."""
    kept = sum(layer.num_values for layer in catalogue.layer_plan(config) if layer.parameters)
    return 2 * _FLOAT * config.batch_size * kept


def needed(config: RunConfig, *, checkpoint: bool = True) -> int:
    """Bytes that training takes at least: parameters, gradients, the optimiser's state, a batch's outputs.

    With `checkpoint`, also the copy that is being written.
    """
    states = OPTIMIZERS[config.optimizer].states if config.optimizer in OPTIMIZERS else 0
    copies = 2 + states + (1 + states if checkpoint else 0)
    return copies * weights(config) + activations(config)


def data(config: RunConfig) -> int:
    """Bytes of the inputs of the data set, which lies whole in memory."""
    info = config.dataset_info
    return _FLOAT * info.num_inputs * (info.train_size + info.val_size)


def check_memory(config: RunConfig, *, loaded: bool = False) -> None:
    """That this machine has the memory that `config` takes. On a GPU, only what is taken here on the way there.

    With `loaded`, the data is in memory already.

    Raises:
        ConfigError: with one sentence, where it does not.
    """
    # Weights are drawn here and copied to where they are trained.
    takes = 2 * weights(config) if _elsewhere(config.device) else needed(config)
    more = 0 if loaded else data(config)
    if takes + more > SMALL and takes + more > (free := free_memory()):
        if takes <= free and more > takes:
            hint = _(" (with it, training takes at least {takes} of memory, and {free} are free)").format(
                takes=size(takes + more), free=size(free)
            )
            raise ConfigError([wrong("dataset", config.dataset, _("what fits, so try a smaller one"), hint)])
        raise ConfigError([too_large(config, takes + more, free)])


def too_large(config: RunConfig, takes: int, free: int, where: str = "") -> Problem:
    """The sentence for a run that does not fit, about the field that makes it large."""
    name = (
        "hidden" if "hidden" in MODELS[config.model].fields and weights(config) >= activations(config) else "batch_size"
    )
    value = ",".join(map(str, config.hidden)) if name == "hidden" else str(config.batch_size)
    hint = _(" (training takes at least {takes} of {where}, and {free} are free)").format(
        takes=size(takes), where=where or _("memory"), free=size(free)
    )
    shown = wrong(name, value, _("what fits, so try fewer"), hint)
    return Problem(name, shown.message)


def free_memory() -> int:
    """Bytes that this process may still take: the machine's, or what its control group leaves."""
    import psutil

    available: int = psutil.virtual_memory().available
    return max(0, min([available, *_control_groups()]))


def _elsewhere(device: str) -> bool:
    """Whether `device` has, or may turn out to have, memory of its own."""
    return device.startswith("cuda") or (
        device == "auto" and sys.platform == "linux" and os.path.exists("/dev/nvidiactl")
    )


def _control_groups(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Bytes that each limit of this process's control groups leaves; none where there are no such limits."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                names, base = ("memory.max", "memory.current", "inactive_file"), root
            elif "memory" in controllers.split(","):
                names, base = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"), root / "memory"
            else:
                continue
            group = base / path.lstrip("/")
            # Every group above has its say, too; within a container its own group is the root.
            for directory in (group, *group.parents):
                with contextlib.suppress(OSError, ValueError):
                    found.append(_left(directory, *names))
                if directory == base:
                    break
    return found


def _left(group: Path, limit: str, usage: str, cache: str) -> int:
    most = int((group / limit).read_text())  # ValueError: "max"
    used = int((group / usage).read_text())
    kept = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return most - used + int(kept.get(cache, 0))

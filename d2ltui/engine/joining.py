"""Which runs can be trained together, as members of one population, and how many of them."""

from __future__ import annotations

import contextlib

import msgspec
import torch

from d2ltui.diagnosis.probes import PROBE_SAMPLES
from d2ltui.nn.activation_slopes import known_slopes
from d2ltui.nn.batched import KINDS
from d2ltui.nn.batched_optim import STATES
from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig
from d2ltui.spec.memory import free_memory
from d2ltui.spec.models import MODELS

Key = tuple[object, ...]

# What members may differ in; of the last three, either all have some or none has any: they are layers and operations.
MEMBERS_OWN = ("seed", "init", "init_std", "lr", "momentum", "weight_decay", "dropout", "clip_norm", "label_smoothing")
_ALL_OR_NONE = ("dropout", "clip_norm", "label_smoothing")
SHARE_OF_MEMORY = 0.25  # of what is free


def may_join(config: RunConfig) -> Key | None:
    """What a run has in common with all those that it can be trained together with; None where it has to be alone."""
    model = MODELS[config.model]
    if (
        model.build
        or config.precision != "fp32"
        or config.optimizer not in STATES
        or config.activation not in known_slopes()
    ):
        return None
    if any(layer.kind not in KINDS for layer in catalogue.layer_plan(config)):
        return None
    values = msgspec.structs.asdict(config)
    shared = [(name, repr(value)) for name, value in values.items() if name not in MEMBERS_OWN]
    return (*shared, *((name, bool(values[name])) for name in _ALL_OR_NONE))


def bytes_of_member(config: RunConfig) -> int:
    """What one member takes, about: parameters, gradients, the optimiser's state, a batch or a look."""
    plan = catalogue.layer_plan(config)
    parameters = sum(layer.parameters for layer in plan)
    values = sum(layer.num_values for layer in plan)
    samples = max(config.batch_size, PROBE_SAMPLES)
    return 4 * ((7 + len(STATES.get(config.optimizer, ()))) * parameters + 3 * samples * values)


def members_at_once(config: RunConfig, free: int) -> int:
    """How many members may be trained together where `free` bytes are; the others follow in slices."""
    return max(1, int(SHARE_OF_MEMORY * free) // bytes_of_member(config))


def free_on(device: torch.device) -> int:
    """Bytes that are free where `device` computes: a GPU's, with what PyTorch keeps of them, or the machine's."""
    if device.type == "cuda":
        with contextlib.suppress(RuntimeError):  # a GPU that does not answer is told of where it is to train something
            free: int = torch.cuda.mem_get_info(device)[0]
            return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free_memory()

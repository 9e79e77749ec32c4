"""Which of several kernels a concise network uses: the one that is fastest for its optimiser, device and layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from d2ltui.spec.config import RunConfig
from d2ltui.spec.layers import LayerSpec

# `PlainSGD`; torch.optim's fused kernel: one launch instead of one a parameter, by which a step of a 64-128-10 network
# on a CPU gains 10 % (momentum), 40 % (Adagrad), 50 % (Adam); torch.optim's own choice.
Update: TypeAlias = Literal["plain", "fused", "torch"]

# Of Adagrad, PyTorch before 2.7 has the fused kernel for the CPU only, and says so at the first step.
_FUSED = {"cpu": ("momentum", "adagrad", "adam", "adamw"), "cuda": ("momentum", "adam", "adamw")}


def select_kernel(optimizer: str, device: str) -> Update:
    """The update of an `optimizer` of the catalogue on a type of device, such as `cpu`."""
    if optimizer == "sgd" and device in ("cpu", "cuda"):
        return "plain"
    return "fused" if optimizer in _FUSED.get(device, ()) else "torch"


def through_onednn(config: RunConfig, plan: Sequence[LayerSpec], device: str) -> frozenset[int]:
    """The layers of a concise network, by their index in `plan`, whose products oneDNN computes on this machine.

    No layer in another precision or on another device, and none beside convolutions: with it, an epoch of LeNet took
    1.00 and 1.02 of the time.
    """
    if config.precision != "fp32" or device != "cpu" or any(spec.kind == "convolution" for spec in plan):
        return frozenset()
    from d2ltui.nn.accel import onednn  # PyTorch

    linear = [spec for spec in plan if spec.kind == "linear"]
    large = [spec for spec in linear if config.batch_size * spec.num_inputs * spec.num_outputs >= onednn.LARGE]
    return frozenset(spec.index for spec in large if onednn.onednn_is_faster())

"""How weights start. Both implementations draw the same numbers in the same order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec
import torch
from torch import Tensor

from d2ltui.nn.seeds import derive_seed
from d2ltui.spec.config import RunConfig
from d2ltui.spec.inits import INITS
from d2ltui.spec.layers import LayerSpec
from d2ltui.spec.registry import load_object

Params: TypeAlias = Mapping[str, Any]
Generator: TypeAlias = torch.Generator


def initial_parameters(config: RunConfig, plan: Iterable[LayerSpec]) -> list[tuple[Tensor, Tensor]]:
    """Weight (n_in, n_out) and bias (n_out,) of every linear layer of `plan` (section 5.4).

    A convolution's weight is (n_out, n_in, kernel, kernel).

    All come from one generator seeded with `config.seed`, on the CPU and in float32 whatever the run's device
    and dtype, so that a seed means the same weights everywhere.
    """
    generator = Generator().manual_seed(derive_seed(config.seed, "weights"))
    draw, params = load_object(INITS[config.init].draw), msgspec.structs.asdict(config)
    found = []
    for spec in plan:
        if spec.kind in ("linear", "convolution"):
            n_in, n_out = spec.num_inputs, spec.num_outputs
            weight, bias = torch.zeros(n_in, n_out), torch.zeros(n_out)
            if spec.kind == "convolution":
                # Each unit of a channel has so many inputs, and each input goes into so many units of the next ones.
                weight = torch.zeros(n_out, n_in, spec.kernel, spec.kernel)
                n_in, n_out = n_in * spec.kernel**2, n_out * spec.kernel**2
            draw(weight, bias, n_in, n_out, generator, params)
            found.append((weight, bias))
    return found


def default(weight: Tensor, bias: Tensor, fan_in: int, fan_out: int, generator: Generator, params: Params) -> None:
    """The book's N(0, 0.01²) from scratch, and for linear regression; torch.nn.Linear's own in concise models."""
    if params["model"] == "linear" or params["implementation"] == "scratch":
        weight.normal_(0, 0.01, generator=generator)
        return
    bound = 1 / math.sqrt(fan_in)  # which is what kaiming_uniform_ with a = √5 comes to
    weight.uniform_(-bound, bound, generator=generator)
    bias.uniform_(-bound, bound, generator=generator)


def normal(weight: Tensor, bias: Tensor, fan_in: int, fan_out: int, generator: Generator, params: Params) -> None:
    """N(0, init_std²)."""
    weight.normal_(0, params["init_std"], generator=generator)


def xavier(weight: Tensor, bias: Tensor, fan_in: int, fan_out: int, generator: Generator, params: Params) -> None:
    """Uniform, variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    bound = math.sqrt(6 / (fan_in + fan_out))
    weight.uniform_(-bound, bound, generator=generator)


def kaiming(weight: Tensor, bias: Tensor, fan_in: int, fan_out: int, generator: Generator, params: Params) -> None:
    """Normal, variance 2 / fan_in (He and others, 2015)."""
    weight.normal_(0, math.sqrt(2 / fan_in), generator=generator)


def zeros(weight: Tensor, bias: Tensor, fan_in: int, fan_out: int, generator: Generator, params: Params) -> None:
    """All zero, as they are."""

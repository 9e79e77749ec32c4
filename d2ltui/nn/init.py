"""How weights start. Both implementations draw the same numbers in the same order."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from d2ltui.nn.seeds import derive_seed
from d2ltui.spec.config import RunConfig
from d2ltui.spec.layers import LayerSpec


def initial_parameters(config: RunConfig, plan: Iterable[LayerSpec]) -> list[tuple[Tensor, Tensor]]:
    """Weight (n_in, n_out) and bias (n_out,) of every linear layer of `plan` (section 5.4).

    A convolution's weight is (n_out, n_in, kernel, kernel).

    All come from one generator seeded with `config.seed`, on the CPU and in float32 whatever the run's device
    and dtype, so that a seed means the same weights everywhere.
    """
    generator = torch.Generator().manual_seed(derive_seed(config.seed, "weights"))
    return [_draw(config, spec, generator) for spec in plan if spec.kind in ("linear", "convolution")]


def _draw(config: RunConfig, spec: LayerSpec, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    n_in, n_out = spec.num_inputs, spec.num_outputs
    weight, bias = torch.zeros(n_in, n_out), torch.zeros(n_out)
    if spec.kind == "convolution":
        # Each unit of a channel has so many inputs, and each input goes into so many units of the next channels.
        weight = torch.zeros(n_out, n_in, spec.kernel, spec.kernel)
        n_in, n_out = n_in * spec.kernel**2, n_out * spec.kernel**2
    if config.init == "default":
        if config.model == "linear" or config.implementation == "scratch":
            weight.normal_(0, 0.01, generator=generator)
        else:
            # torch.nn.Linear's: kaiming_uniform_ with a = √5, which is this bound.
            bound = 1 / math.sqrt(n_in)
            weight.uniform_(-bound, bound, generator=generator)
            bias.uniform_(-bound, bound, generator=generator)
    elif config.init == "normal":
        weight.normal_(0, config.init_std, generator=generator)
    elif config.init == "xavier":
        bound = math.sqrt(6 / (n_in + n_out))
        weight.uniform_(-bound, bound, generator=generator)
    elif config.init == "kaiming":
        weight.normal_(0, math.sqrt(2 / n_in), generator=generator)
    return weight, bias

"""How weights start. Both implementations draw the same numbers in the same order."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from d2ltui.nn.seeds import seed_for
from d2ltui.spec.catalogue import LayerSpec
from d2ltui.spec.config import RunConfig


def initial_parameters(config: RunConfig, plan: Iterable[LayerSpec]) -> list[tuple[Tensor, Tensor]]:
    """Weight (n_in, n_out) and bias (n_out,) of every linear layer of `plan` (section 5.4).

    All come from one generator seeded with `config.seed`, on the CPU and in float32 whatever the run's device
    and dtype, so that a seed means the same weights everywhere.
    """
    generator = torch.Generator().manual_seed(seed_for(config.seed, "weights"))
    return [_draw(config, spec.num_inputs, spec.num_outputs, generator) for spec in plan if spec.kind == "linear"]


def _draw(config: RunConfig, n_in: int, n_out: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    weight, bias = torch.zeros(n_in, n_out), torch.zeros(n_out)
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

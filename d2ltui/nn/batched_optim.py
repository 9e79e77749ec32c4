"""The optimisers for stacked networks: torch.optim's formulas, with hyperparameters of each network's own.

A hyperparameter that is the same for all networks is one number; else there is one for each parameter, laid out as the
parameters are. The learning rate, which schedules and people change, is always a tensor, so that a captured step reads
it anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from d2ltui.nn.accel.optimizers import bounded
from d2ltui.nn.batched import BatchedNetwork
from d2ltui.spec.config import RunConfig

# What torch.optim calls the tensors that each optimiser keeps, and its constants that are not a run's to choose.
STATES: dict[str, tuple[str, ...]] = {
    "sgd": (),
    "momentum": ("momentum_buffer",),
    "adagrad": ("sum",),
    "rmsprop": ("square_avg",),
    "adam": ("exp_avg", "exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq"),
}
_ADAGRAD_EPS, _EPS = 1e-10, 1e-8
_ALPHA = 0.99  # RMSprop's
_BETAS = (0.9, 0.999)  # Adam's
_TORCH_EPS = 1e-6  # that torch's clipping adds to the norm


class BatchedOptimizer:
    """Moves the parameters of a `BatchedNetwork` by its gradients.

    Args:
        configs: of its networks, which have one optimiser in common.
        network: theirs.
        for_graphs: whether steps are recorded, so that rates stay where they are when one of them is changed.
    """

    def __init__(self, configs: Sequence[RunConfig], network: BatchedNetwork, *, for_graphs: bool = False) -> None:
        config = configs[0]
        self._for_graphs = for_graphs
        self.name = config.optimizer
        self._network, self._scratch = network, config.implementation == "scratch"
        self._rates = torch.tensor([one.lr for one in configs], dtype=torch.float64)
        self._momenta = torch.tensor([one.momentum for one in configs], dtype=torch.float64)
        self._decays = torch.tensor([bounded(one.weight_decay) for one in configs], dtype=torch.float64)
        self._norms = torch.tensor([one.clip_norm for one in configs], dtype=torch.float64)
        self.states = [torch.zeros_like(network.parameters) for _ in STATES[self.name]]
        self._steps = 0
        self._factor = 1.0
        self.layout = 0  # another number once networks have left: tensors that a step reads are others then
        self._lay_out()

    def _lay_out(self) -> None:
        """Spread the hyperparameters over as many networks as there are now."""
        network = self._network
        like = network.parameters
        self._momentum = self._spread(self._momenta)
        self._decay = network.spread(self._decays, biases=False) if bool(self._decays.any()) else None
        self._norm = self._norms.to(like) if bool(self._norms.any()) else None
        self._step_size = like.new_zeros(())  # by which the rate is multiplied, for Adam
        self._root = like.new_zeros(())
        self._scratchpad = torch.empty_like(like)
        self._minus_rate = self._rates_now()
        self.layout += 1

    def _spread(self, values: Tensor) -> Tensor:
        """One number where all are the same."""
        if bool((values == values[0]).all()):
            return values[0].to(self._network.parameters)
        return self._network.spread(values)

    def _rates_now(self) -> Tensor:
        rates = torch.tensor([-bounded(rate * self._factor) for rate in self._rates.tolist()], dtype=torch.float64)
        return self._network.spread(rates) if self._for_graphs else self._spread(rates)

    def _set_rates(self) -> None:
        if self._for_graphs:
            self._minus_rate.copy_(self._rates_now())
        else:
            self._minus_rate = self._rates_now()

    def set_factor(self, factor: float) -> None:
        """From now on each rate is multiplied by `factor`: a schedule's."""
        if factor != self._factor:
            self._factor = factor
            self._set_rates()

    def set_lr(self, member: int, lr: float) -> None:
        """Another learning rate, before its schedule, for one network."""
        self._rates[member] = lr
        self._set_rates()

    def keep(self, index: Tensor) -> None:
        """Go on with the networks `index` (k,) alone. To be called before the network's own `keep`."""
        self.states = [self._network.select(state, index.to(state.device)) for state in self.states]
        for name in ("_rates", "_momenta", "_decays", "_norms"):
            setattr(self, name, getattr(self, name)[index])

    def kept(self) -> None:
        """The network has been made smaller."""
        self._lay_out()

    def state_of(self, member: int) -> list[dict[str, Tensor]]:
        """What torch.optim would keep for each parameter of a network, in order: weight, bias, weight, …"""
        if not self._steps or not self.states:
            return []
        names = STATES[self.name]
        parts = zip(*(self._network.of_member(state, member) for state in self.states), strict=True)
        found = [dict(zip(names, part, strict=True)) for part in parts]
        if self.name != "momentum":
            for one in found:
                one["step"] = torch.tensor(float(self._steps))
        return found

    def clip(self) -> None:
        """Keep the norm of each network's gradient below its `clip_norm`, where it has one (section 9.5)."""
        if self._norm is None:
            return
        parts = self._network.rows(self._network.gradients)
        squares = torch.stack([part.square().sum(dim=1) for part in parts]).sum(dim=0)
        norm = squares.sqrt_() if self._scratch else squares.sqrt_().add_(_TORCH_EPS)
        scale = (self._norm / norm).clamp_(max=1.0).unsqueeze(1)
        for part in parts:
            part.mul_(scale)

    def advance(self) -> None:
        """Another step begins, and what depends on its number alone. A step that is captured has `begin` instead."""
        if self.name in ("adam", "adamw"):
            step_size, root = self._moment(self._steps + 1)
            self._step_size.fill_(step_size)
            self._root.fill_(root)
        self.took(1)

    def took(self, steps: int) -> None:
        """So many steps more have been taken."""
        self._steps += steps

    def moments(self, steps: int) -> Tensor:
        """What depends on the number of each of the next steps alone: (steps, 2), on the device."""
        found = [self._moment(self._steps + 1 + i) for i in range(steps)]
        return torch.tensor(found, dtype=self._step_size.dtype).to(self._step_size.device, non_blocking=True)

    def begin(self, moment: Tensor) -> None:
        """A step begins whose row of `moments` is this one."""
        if self.name in ("adam", "adamw"):
            self._step_size.copy_(moment[0])
            self._root.copy_(moment[1])

    @staticmethod
    def _moment(step: int) -> tuple[float, float]:
        """Adam's corrections of its means, which begin with 0: by what the rate is multiplied, and the root divided."""
        return 1 / (1 - _BETAS[0] ** step), math.sqrt(1 - _BETAS[1] ** step)

    def step(self) -> None:
        """Move every parameter. From scratch the penalty's gradient has been added before."""
        parameters, gradient = self._network.parameters, self._network.gradients
        if self._decay is not None and not self._scratch:
            if self.name == "adamw":
                parameters.mul_(torch.addcmul(torch.ones_like(parameters), self._decay, self._minus_rate))
            else:
                gradient.addcmul_(parameters, self._decay)
        move = self._direction(gradient)
        parameters.addcmul_(move, self._minus_rate)

    def add_penalty(self) -> None:
        """From scratch, weight decay is a penalty in what is differentiated (section 3.7)."""
        if self._decay is not None and self._scratch:
            self._network.gradients.addcmul_(self._network.parameters, self._decay)

    def _direction(self, gradient: Tensor) -> Tensor:
        """What is multiplied by the rate and subtracted."""
        if self.name == "sgd":
            return gradient
        if self.name == "momentum":
            (buffer,) = self.states
            return buffer.mul_(self._momentum).add_(gradient)
        pad = self._scratchpad
        if self.name == "adagrad":
            (total,) = self.states
            total.addcmul_(gradient, gradient)
            return torch.div(gradient, torch.sqrt(total, out=pad).add_(_ADAGRAD_EPS), out=pad)
        if self.name == "rmsprop":
            (square,) = self.states
            square.mul_(_ALPHA).addcmul_(gradient, gradient, value=1 - _ALPHA)
            return torch.div(gradient, torch.sqrt(square, out=pad).add_(_EPS), out=pad)
        mean, square = self.states
        mean.lerp_(gradient, 1 - _BETAS[0])
        square.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
        torch.sqrt(square, out=pad).div_(self._root).add_(_EPS)
        return torch.div(mean, pad, out=pad).mul_(self._step_size)

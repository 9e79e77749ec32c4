"""Recorder: what is to be seen of one training step of a network that nobody else needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import msgspec
import torch
from torch import Tensor, nn

from d2ltui.nn import Network, Optimizer
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.step_seen import Moment, TensorSeen, named_layers, of_layer, spread

VALUES = 8  # of a tensor that are told
# What an optimiser keeps of a parameter: torch.optim's names, and the letters of chapter 12.
_STATES = {"momentum_buffer": "v", "sum": "s", "square_avg": "s", "exp_avg": "v", "exp_avg_sq": "s"}


class Recorder:
    """Sees `network` take one step, for which `clip` stands in for the function of that name.

    To be made before the step: parameters are seen as they were, and hooks keep what every layer gives out.
    """

    def __init__(self, config: RunConfig, network: Network, clip: Callable[[], object] | None) -> None:
        self._config, self._network, self._clip = config, network, clip
        self._layers = named_layers(network.plan) if network.layers else []
        self._parameters = list(_parameters(config, network))
        self._before = [one.seen(one.name) for one in self._parameters]
        self._gradients: list[TensorSeen] = []  # before they are clipped
        self._norms: list[Tensor] = []
        self._input: Tensor | None = None
        self._outputs: list[Tensor] = []
        with torch.no_grad():
            zero = torch.zeros((), device=next(network.parameters()).device)
            penalty = network.objective(zero)
        self._penalty = None if penalty is zero else penalty / config.weight_decay
        for __, module in network.layers:
            module.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if self._input is None:
            self._input = inputs[0]
        if output.requires_grad:
            output.retain_grad()
        self._outputs.append(output)

    def clip(self) -> None:
        """Keep the gradients in bounds, as the run does; seen before and after."""
        self._gradients = [one.seen_gradient() for one in self._parameters]
        if self._clip is not None:
            self._norms.append(self._norm())
            self._clip()
            self._norms.append(self._norm())

    def _norm(self) -> Tensor:
        gradients = [one.grad.flatten() for one in self._network.parameters() if one.grad is not None]
        norm: Tensor = torch.linalg.vector_norm(torch.cat(gradients))
        return norm

    def forward(self, x: Tensor, output: Tensor) -> Iterator[Moment]:
        """From the batch `x` to the outputs, layer by layer."""
        if self._input is not None and self._input.shape != x.shape:
            yield Moment("forward", "input", (see("X", x, True), see("X", self._input, True)))
            x = self._input
        before = see("X", x, True)
        if not self._layers:
            yield Moment("forward", "output", (before, see("y_hat", output, True)))
        for layer, found in zip(self._layers, self._outputs, strict=True):
            own = [
                seen for one, seen in zip(self._parameters, self._before, strict=True) if one.layer == layer.spec.index
            ]
            after = see(layer.after, found, True)
            yield Moment("forward", of_layer(layer.spec.index), (before, *own, after))
            before = after

    def loss(self, output: Tensor, y: Tensor, loss: Tensor) -> Iterator[Moment]:
        """The loss, and what is added to it."""
        yield Moment("loss", "loss", (see("y_hat", output, True), see("y", y, True), see("l", loss)))
        if self._penalty is not None:
            yield Moment("loss", "penalty", (see("l", loss), see("penalty", self._penalty)))

    def backward(self, loss: Tensor) -> Iterator[Moment]:
        """From the loss to the gradients, the last layer first."""
        total = loss if self._penalty is None else loss + self._config.weight_decay * self._penalty
        yield Moment("backward", "backward", (see("l" if total is loss else "l + penalty", total),))
        for layer, output in reversed(list(zip(self._layers, self._outputs, strict=True))):
            of_output = [] if output.grad is None else [see(f"{layer.after}.grad", output.grad, True)]
            parts = zip(self._parameters, self._gradients, strict=True)
            own = [gradient for one, gradient in parts if one.layer == layer.spec.index]
            if of_output or own:
                yield Moment("backward", of_layer(layer.spec.index), (*of_output, *own))

    def update(self, optimizer: Optimizer) -> Iterator[Moment]:
        """Every parameter as it moves, with what the optimiser keeps of it after the step."""
        if self._norms:
            before, after = self._norms
            theta = see("theta", torch.tensor(self._config.clip_norm))
            yield Moment("update", "clip", (see("norm", before), theta, see(_("norm, clipped"), after)))
        states: Mapping[Tensor, Mapping[str, Tensor]] = getattr(optimizer, "state", {})
        for one, was in zip(self._parameters, self._before, strict=True):
            kept = states.get(one.tensor, {})
            letters = [see(letter, one.turn(kept[name])) for name, letter in _STATES.items() if name in kept]
            was = msgspec.structs.replace(was, name=_("{name} before").format(name=one.name))
            yield Moment("update", "update", (was, one.seen_gradient(), *letters, one.seen(one.name)))


class _Parameter(NamedTuple):
    """A parameter of layer `layer` (0 where that is not known), and whether the book has it the other way round."""

    name: str
    tensor: Tensor
    layer: int
    turned: bool  # torch.nn keeps a linear layer's weight as (outputs, inputs)

    def turn(self, values: Tensor) -> Tensor:
        return values.T if self.turned else values

    def seen(self, name: str) -> TensorSeen:
        return see(name, self.turn(self.tensor))

    def seen_gradient(self) -> TensorSeen:
        gradient = self.tensor.grad
        return see(f"{self.name}.grad", self.turn(torch.zeros_like(self.tensor) if gradient is None else gradient))


def _parameters(config: RunConfig, network: Network) -> Iterator[_Parameter]:
    if not network.layers:
        for name, tensor in network.named_parameters():
            yield _Parameter(name.removeprefix("model."), tensor, 0, turned=False)
        return
    names = {layer.spec.index: layer for layer in named_layers(network.plan)}
    for spec, weight, bias in network.linear_parameters():
        turned = spec.kind == "linear" and config.implementation != "scratch"
        yield _Parameter(names[spec.index].weight, weight, spec.index, turned)
        yield _Parameter(names[spec.index].bias, bias, spec.index, turned=False)


@torch.no_grad()
def see(name: str, tensor: Tensor, samples: bool = False) -> TensorSeen:
    """What is told of `tensor`; `samples`: its first dimension is that of the batch."""
    told = (tensor[0] if samples else tensor).detach().flatten()
    at = torch.tensor(spread(len(told), VALUES), device=told.device)
    whole = tensor.detach().to(torch.float64)
    figures = torch.stack((whole.min(), whole.mean(), whole.max()))
    low, mean, high, *values = torch.cat((figures, told[at].to(torch.float64))).tolist()
    return TensorSeen(name, tuple(tensor.shape), tuple(values), low, mean, high)

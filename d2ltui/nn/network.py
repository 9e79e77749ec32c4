"""What every model is, whichever way it is built: layers in order, a loss, parameters, a state."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from d2ltui.spec.catalogue import LayerSpec


class Layer(NamedTuple):
    """One layer: what it is, and what it does to a batch (n, num_inputs) → (n, num_outputs)."""

    spec: LayerSpec
    forward: Callable[[Tensor], Tensor]


class Network:
    """A chain of layers; `concise.ConciseNetwork` and `scratch.ScratchNetwork` say what they are made of.

    `loss(output, y)` is the mean loss of a batch, a scalar: it is what is reported. `objective(loss)` is what
    is differentiated: the same tensor, except where weight decay is a penalty in the loss (from scratch).
    """

    loss: Callable[[Tensor, Tensor], Tensor]

    def __init__(self, layers: Sequence[Layer], loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.layers = list(layers)
        self.loss = loss
        self._forwards = [layer.forward for layer in self.layers]

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (n, num_outputs), or predictions (n, 1), of `x` (n, num_inputs)."""
        for forward in self._forwards:
            x = forward(x)
        return x

    def trace(self, x: Tensor) -> Iterator[tuple[LayerSpec, Tensor]]:
        """The same pass, yielding each layer's output; the last one is what `self(x)` returns."""
        for layer in self.layers:
            x = layer.forward(x)
            yield layer.spec, x

    def objective(self, loss: Tensor) -> Tensor:
        """What to call `backward()` on."""
        return loss

    def linear_parameters(self) -> list[tuple[LayerSpec, Tensor, Tensor]]:
        """(spec, weight, bias) of every linear layer, in order: the leaf tensors themselves."""
        raise NotImplementedError

    def parameters(self) -> list[Tensor]:
        """Weight and bias of every linear layer, in order: the leaf tensors, as they are stored."""
        return list(itertools.chain.from_iterable((w, b) for _, w, b in self.linear_parameters()))

    def weights(self) -> list[tuple[LayerSpec, Tensor, Tensor]]:
        """(spec, weight (n_in, n_out), bias (n_out,)) of every linear layer: views that follow training."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> None:
        """Whether dropout drops."""
        raise NotImplementedError

    def named_parameters(self) -> dict[str, Tensor]:
        """All parameters themselves, detached, by `index.weight` and `index.bias`."""
        named = {}
        for spec, weight, bias in self.linear_parameters():
            named[f"{spec.index}.weight"], named[f"{spec.index}.bias"] = weight.detach(), bias.detach()
        return named

    def state(self) -> dict[str, Tensor]:
        """Copies of all parameters, by `index.weight` and `index.bias`, on the parameters' device."""
        return {name: value.clone() for name, value in self.named_parameters().items()}

    @torch.no_grad()
    def load_state(self, state: dict[str, Tensor]) -> None:
        """Takes over the values of `state()` of a network of the same shape and implementation.

        Raises:
            ValueError: where a name or a shape is another.
        """
        own = self.named_parameters()
        if own.keys() != state.keys():
            raise ValueError(f"state: {', '.join(state)} is not allowed; allowed: {', '.join(own)}")
        for name, value in state.items():
            given, allowed = tuple(value.shape), tuple(own[name].shape)
            if given != allowed:
                raise ValueError(f"state: {name} of shape {given} is not allowed; allowed: {allowed}")
        for name, value in state.items():
            own[name].copy_(value)

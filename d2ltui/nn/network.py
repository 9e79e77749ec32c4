"""What every model is, whichever way it is built: an `nn.Module` of layers in order, a loss, a state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from d2ltui.spec.layers import LayerSpec


class Layer(NamedTuple):
    """One layer: what it is, and what it does to a batch (n, ...) → (n, ...)."""

    spec: LayerSpec
    module: nn.Module


class Network(nn.Module):
    """A chain of layers; `concise.ConciseNetwork` and `scratch.ScratchNetwork` say what they are made of.

    `loss(output, y)` is the mean loss of a batch, a scalar: it is what is reported. `training_loss(output, y)` is that
    of a batch that is trained on, which differs where there is `label_smoothing`. `objective(training_loss)` is what
    is differentiated: the same tensor, except where weight decay is a penalty in the loss (from scratch).

    Samples come flat, (n, num_inputs); `input_shape` is what the first layer wants of one, where that is another.

    `plan` says what the layers are, also where there are no `layers`: those of another package's model.

    A layer's module is called by the layer's number, so that parameters are named `1.weight`, `1.bias`, as in a
    checkpoint.

    With `lower`, products are taken in bfloat16 (autocast), of weights, outputs and losses that are float32 as ever.
    """

    loss: Callable[..., Tensor]
    label_smoothing = 0.0
    lower = False

    def __init__(
        self,
        layers: Sequence[Layer],
        loss: Callable[..., Tensor],
        input_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self._input_shape = input_shape
        self.layers = list(layers)
        self.plan = tuple(spec for spec, _ in layers)
        self.loss = loss
        for spec, module in self.layers:
            self.add_module(str(spec.index), module)
        self._chain = [module for _, module in self.layers]

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, num_outputs), or predictions (n, 1), of `x` (n, num_inputs)."""
        x = self._shaped(x)
        if self.lower:
            with self._autocast(x):
                for module in self._chain:
                    x = module(x)
            return x.float()
        for module in self._chain:
            x = module(x)
        return x

    def _autocast(self, x: Tensor) -> torch.autocast:
        # Nothing is kept for a second use: a graph would read what another step has kept.
        return torch.autocast(x.device.type, torch.bfloat16, enabled=self.lower, cache_enabled=False)

    def _shaped(self, x: Tensor) -> Tensor:
        return x if self._input_shape is None else x.reshape(len(x), *self._input_shape)

    def trace(self, x: Tensor) -> Iterator[tuple[LayerSpec, Tensor]]:
        """The same pass, yielding each layer's output; the last one is what `self(x)` returns."""
        x = self._shaped(x)
        for spec, module in self.layers:
            with self._autocast(x):
                x = module(x)
            yield spec, x.float() if self.lower else x

    def training_loss(self, output: Tensor, y: Tensor) -> Tensor:
        """The mean loss of a batch that is trained on, of smoothed labels where they are."""
        if self.label_smoothing:
            return self.loss(output, y, label_smoothing=self.label_smoothing)
        return self.loss(output, y)

    def objective(self, loss: Tensor) -> Tensor:
        """What to call `backward()` on."""
        return loss

    def decaying_parameters(self) -> list[nn.Parameter]:
        """Those that weight decay makes smaller: weights, which have two dimensions or more. Biases have one."""
        return [parameter for parameter in self.parameters() if parameter.dim() > 1]

    def linear_parameters(self) -> list[tuple[LayerSpec, Tensor, Tensor]]:
        """(spec, weight, bias) of every layer that has them, in order: the leaf tensors themselves."""
        having = [(spec, dict(module.named_parameters(recurse=False))) for spec, module in self.layers]
        return [(spec, own["weight"], own["bias"]) for spec, own in having if own]

    def weights(self) -> list[tuple[LayerSpec, Tensor, Tensor]]:
        """(spec, weight (n_in, n_out), bias (n_out,)) of every linear layer: views that follow training.

        A convolution's weight is (n_out, n_in, kernel, kernel).
        """
        return []

    def state(self) -> dict[str, Tensor]:
        """Copies of all parameters, by `index.weight` and `index.bias`, on the parameters' device."""
        return {name: value.detach().clone() for name, value in self.state_dict().items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Takes over the values of `state()` of a network of the same shape and implementation.

        Raises:
            ValueError: where a name or a shape is another.
        """
        own = self.state_dict()
        if own.keys() != state.keys():
            raise ValueError(f"state: {', '.join(state)} is not allowed; allowed: {', '.join(own)}")
        for name, value in state.items():
            given, allowed = tuple(value.shape), tuple(own[name].shape)
            if given != allowed:
                raise ValueError(f"state: {name} of shape {given} is not allowed; allowed: {allowed}")
        with torch.no_grad():
            for name, value in state.items():
                own[name].copy_(value)

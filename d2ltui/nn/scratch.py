"""The models from scratch: tensors with gradients, and the book's formulas (sections 3.4, 4.4, 5.2, 5.6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from d2ltui.nn import functional
from d2ltui.nn.network import Layer, Network
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.catalogue import LayerSpec
from d2ltui.spec.config import RunConfig
from d2ltui.spec.registry import load_object


class Linear:
    """XW + b: X (n, n_in), W (n_in, n_out), b (n_out,) → (n, n_out) (section 3.4)."""

    def __init__(self, w: Tensor, b: Tensor) -> None:
        self.w = w.requires_grad_()
        self.b = b.requires_grad_()

    def __call__(self, x: Tensor) -> Tensor:
        return x @ self.w + self.b


class Dropout:
    """`functional.dropout` with probability `p` while training, nothing otherwise (section 5.6)."""

    def __init__(self, p: float) -> None:
        self.p = p
        self.training = True

    def __call__(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.p) if self.training else x


class ScratchNetwork(Network):
    """Layers from scratch. Weight decay is the book's (section 3.7): a penalty in what is differentiated."""

    def __init__(
        self,
        config: RunConfig,
        plan: Sequence[LayerSpec],
        initial: Sequence[tuple[Tensor, Tensor]],
        dtype: torch.dtype,
        device: torch.device | str,
    ) -> None:
        parameters = iter(initial)
        layers: list[Layer] = []
        for spec in plan:
            forward: Callable[[Tensor], Tensor]
            if spec.kind == "linear":
                w, b = next(parameters)
                forward = Linear(w.to(device, dtype), b.to(device, dtype))
            elif spec.kind == "dropout":
                forward = Dropout(config.dropout)
            else:
                forward = load_object(ACTIVATIONS[config.activation].scratch)
            layers.append(Layer(spec, forward))
        regression = config.task == "regression"
        super().__init__(layers, functional.squared_loss if regression else functional.cross_entropy)
        self.weight_decay = config.weight_decay

    def objective(self, loss: Tensor) -> Tensor:
        if self.weight_decay == 0:
            return loss
        penalty = sum(functional.l2_penalty(w) for _, w, _ in self.linear_parameters())
        return loss + self.weight_decay * penalty

    def linear_parameters(self) -> list[tuple[LayerSpec, Tensor, Tensor]]:
        return [(spec, layer.w, layer.b) for spec, layer in self.layers if isinstance(layer, Linear)]

    def weights(self) -> list[tuple[LayerSpec, Tensor, Tensor]]:
        return [(spec, w.detach(), b.detach()) for spec, w, b in self.linear_parameters()]

    def train(self, mode: bool = True) -> None:
        for _, layer in self.layers:
            if isinstance(layer, Dropout):
                layer.training = mode

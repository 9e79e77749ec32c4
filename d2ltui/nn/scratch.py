"""The models from scratch: tensors with gradients, and the book's formulas (sections 3.4, 4.4, 5.2, 5.6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from d2ltui.nn import functional
from d2ltui.nn.network import Layer, Network
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import RunConfig
from d2ltui.spec.layers import LayerSpec
from d2ltui.spec.registry import load_object


class Linear(nn.Module):
    """XW + b: X (n, n_in), W (n_in, n_out), b (n_out,) → (n, n_out) (section 3.4)."""

    units_last = True  # what comes into one unit is a column of W, where nn.Linear has a row

    def __init__(self, w: Tensor, b: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(w), nn.Parameter(b)

    def forward(self, x: Tensor) -> Tensor:
        """XW + b."""
        return x @ self.weight + self.bias


class Convolution(nn.Module):
    """`functional.conv2d` with weight (n_out, n_in, kernel, kernel) and bias (n_out,) (sections 7.2 to 7.4)."""

    def __init__(self, weight: Tensor, bias: Tensor, padding: int) -> None:
        super().__init__()
        self.weight, self.bias, self.padding = nn.Parameter(weight), nn.Parameter(bias), padding

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (n, n_out, height, width) of pictures (n, n_in, …, …)."""
        return functional.conv2d(x, self.weight, self.bias, self.padding)


class AveragePooling(nn.Module):
    """`functional.avg_pool2d` over squares of `kernel` × `kernel` (section 7.5)."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, x: Tensor) -> Tensor:
        """The means of `x`."""
        return functional.avg_pool2d(x, self.kernel)


class Flatten(nn.Module):
    """A row for each sample."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, ...) → (n, all of it)."""
        return x.reshape(len(x), -1)


class Activation(nn.Module):
    """A function of a tensor of any shape, as a layer (section 5.1)."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """The function of each number."""
        return self.function(x)


class Dropout(nn.Module):
    """`functional.dropout` with probability `p` while training, nothing otherwise (section 5.6)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """What is left of `x`."""
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
        input_shape: tuple[int, ...] | None = None,
    ) -> None:
        parameters = iter(initial)
        layers: list[Layer] = []
        for spec in plan:
            module: nn.Module
            if spec.kind == "linear":
                w, b = next(parameters)
                module = Linear(w.to(device, dtype), b.to(device, dtype))
            elif spec.kind == "convolution":
                w, b = next(parameters)
                module = Convolution(w.to(device, dtype), b.to(device, dtype), spec.padding)
            elif spec.kind == "pooling":
                module = AveragePooling(spec.kernel)
            elif spec.kind == "flatten":
                module = Flatten()
            elif spec.kind == "dropout":
                module = Dropout(config.dropout)
            else:
                module = Activation(load_object(ACTIVATIONS[config.activation].scratch))
            layers.append(Layer(spec, module))
        regression = config.task == "regression"
        super().__init__(layers, functional.squared_loss if regression else functional.cross_entropy, input_shape)
        self.weight_decay = config.weight_decay

    def objective(self, loss: Tensor) -> Tensor:
        if self.weight_decay == 0:
            return loss
        penalty = sum(functional.l2_penalty(w) for _, w, _ in self.linear_parameters())
        return loss + self.weight_decay * penalty

    def weights(self) -> list[tuple[LayerSpec, Tensor, Tensor]]:
        return [(spec, w.detach(), b.detach()) for spec, w, b in self.linear_parameters()]

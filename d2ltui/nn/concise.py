"""The models with torch.nn (sections 3.5, 4.5, 5.2, 5.6)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from d2ltui.nn.accel.kernels import select_kernel
from d2ltui.nn.accel.onednn import LARGE, OneDNNLinear, onednn_is_faster
from d2ltui.nn.network import Layer, Network
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import RunConfig
from d2ltui.spec.layers import LayerSpec
from d2ltui.spec.registry import load_object

# A weight from so many inputs on, to so many outputs on, is kept by column on a CPU.
WIDE, NARROW = 512, 16


def _linear_class(
    config: RunConfig, spec: LayerSpec, dtype: torch.dtype, device: torch.device | str
) -> type[nn.Linear]:
    """The class of a linear layer: the same function, computed in the way that is fastest here."""
    large = config.batch_size * spec.num_inputs * spec.num_outputs >= LARGE
    fit = torch.device(device).type == "cpu" and dtype == torch.float32
    return OneDNNLinear if large and fit and onednn_is_faster() else nn.Linear


def _by_column(config: RunConfig, spec: LayerSpec, device: torch.device | str) -> bool:
    """Whether a weight is kept column by column: the same matrix, in the order in which XWᵀ wants it.

    On a CPU a step of the book's MLP then takes 5 to 15 % less, for MKL need not transpose in the products of a wide
    input, forward and of the weight's gradient. Of a narrow output they take longer; and fused kernels would copy such
    a weight back and forth.
    """
    plain = torch.device(device).type == "cpu" and select_kernel(config.optimizer, "cpu") == "plain"
    return plain and spec.num_inputs >= WIDE and spec.num_outputs >= NARROW


class ConciseNetwork(Network):
    """Layers of torch.nn. Weight decay is the optimiser's."""

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
        modules: list[nn.Module] = []
        for spec in plan:
            if spec.kind == "linear":
                # nn.Linear draws weights of its own; nobody else's random numbers shall change by that.
                with torch.random.fork_rng(devices=[]):
                    made = _linear_class(config, spec, dtype, device)
                    linear = made(spec.num_inputs, spec.num_outputs, dtype=dtype)
                weight, bias = next(parameters)
                if made is nn.Linear and _by_column(config, spec, device):
                    linear.weight = nn.Parameter(torch.empty_like(linear.weight.T).contiguous().T)
                with torch.no_grad():
                    linear.weight.copy_(weight.T)
                    linear.bias.copy_(bias)
                modules.append(linear)
            elif spec.kind == "convolution":
                with torch.random.fork_rng(devices=[]):
                    convolution = nn.Conv2d(
                        spec.num_inputs, spec.num_outputs, spec.kernel, padding=spec.padding, dtype=dtype
                    )
                weight, bias = next(parameters)
                with torch.no_grad():
                    convolution.weight.copy_(weight)
                    convolution.bias.copy_(bias)  # type: ignore[union-attr]
                modules.append(convolution)
            elif spec.kind == "pooling":
                modules.append(nn.AvgPool2d(spec.kernel))
            elif spec.kind == "flatten":
                modules.append(nn.Flatten())
            elif spec.kind == "dropout":
                modules.append(nn.Dropout(config.dropout))
            else:
                modules.append(load_object(ACTIVATIONS[config.activation].module)())
        loss = nn.functional.mse_loss if config.task == "regression" else nn.functional.cross_entropy
        super().__init__([Layer(*pair) for pair in zip(plan, modules, strict=True)], loss, input_shape)
        self.to(device)

    def weights(self) -> list[tuple[LayerSpec, Tensor, Tensor]]:
        return [
            (spec, weight.detach().T if spec.kind == "linear" else weight.detach(), bias.detach())
            for spec, weight, bias in self.linear_parameters()
        ]

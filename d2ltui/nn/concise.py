"""The models with torch.nn (sections 3.5, 4.5, 5.2, 5.6)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from d2ltui.nn.accel.kernels import through_onednn
from d2ltui.nn.accel.linear import accelerate
from d2ltui.nn.accel.loss import mse_loss
from d2ltui.nn.network import Layer, Network
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import RunConfig
from d2ltui.spec.layers import LayerSpec
from d2ltui.spec.registry import load_object


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
        fast = through_onednn(config, plan, torch.device(device).type) if dtype == torch.float32 else frozenset()
        for spec in plan:
            if spec.kind == "linear":
                # Weights of its own are not drawn: nobody else's random numbers shall change by them.
                linear = nn.Linear(spec.num_inputs, spec.num_outputs, device="meta", dtype=dtype).to_empty(device="cpu")
                weight, bias = next(parameters)
                with torch.no_grad():
                    linear.weight.copy_(weight.T)
                    linear.bias.copy_(bias)
                modules.append(accelerate(linear) if spec.index in fast else linear)
            elif spec.kind == "convolution":
                convolution = nn.Conv2d(
                    spec.num_inputs, spec.num_outputs, spec.kernel, padding=spec.padding, device="meta", dtype=dtype
                ).to_empty(device="cpu")
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
        loss = mse_loss if config.task == "regression" else nn.functional.cross_entropy
        super().__init__([Layer(*pair) for pair in zip(plan, modules, strict=True)], loss, input_shape)
        self.to(device)

    def weights(self) -> list[tuple[LayerSpec, Tensor, Tensor]]:
        return [
            (spec, weight.detach().T if spec.kind == "linear" else weight.detach(), bias.detach())
            for spec, weight, bias in self.linear_parameters()
        ]

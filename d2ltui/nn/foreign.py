"""A model of another package: any `nn.Module`, as a network that is trained and looked into like the others."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from d2ltui.nn import functional
from d2ltui.nn.network import Network
from d2ltui.nn.seeds import derive_seed
from d2ltui.spec.config import RunConfig
from d2ltui.spec.dataset_source import DatasetInfo
from d2ltui.spec.language import _
from d2ltui.spec.models import MODELS, describe_layers, image_shape
from d2ltui.spec.registry import load_object
from d2ltui.spec.text import printable


class BuildError(RuntimeError):
    """A model of another package that could not be built. Its text is one sentence."""


class ForeignNetwork(Network):
    """What a `ModelSpec`'s `build`, or `scratch`, returns. Its parameters' names begin with `model.`.

    Raises:
        BuildError: where it cannot be built, or its outputs are of another shape than (n, num_outputs).
    """

    def __init__(self, config: RunConfig, data: DatasetInfo, dtype: torch.dtype, device: torch.device | str) -> None:
        scratch, regression = config.implementation == "scratch", config.task == "regression"
        loss: Callable[..., Tensor] = functional.squared_loss if regression else functional.cross_entropy
        if not scratch:
            loss = nn.functional.mse_loss if regression else nn.functional.cross_entropy
        images = len(data.input_shape) > 1
        super().__init__([], loss, tuple(image_shape(data)) if images else None)
        self.plan = describe_layers(config, data)
        spec = MODELS[config.model]
        name = f"model '{spec.name}'"
        # It draws from PyTorch's own generator; nobody else's random numbers shall change by that.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed(config.seed, "weights"))
            try:
                model = load_object(spec.scratch if scratch else spec.build)(config, data)
                if not isinstance(model, nn.Module):
                    raise TypeError(f"what was built is a {type(model).__name__} and not an nn.Module")
                self.model = model.to(dtype)
                self.eval()
                with torch.no_grad():
                    shape = tuple(self(torch.zeros(2, data.num_inputs, dtype=dtype)).shape)
            except Exception as error:  # whatever another package's code raises
                said = printable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, 300)
                raise BuildError(_("{name} cannot be built: {said}").format(name=name, said=said)) from error
        if shape != (2, data.num_outputs):
            raise BuildError(
                _("{name}: outputs of shape {shape} for 2 samples; allowed: {expected}").format(
                    name=name, shape=shape, expected=(2, data.num_outputs)
                )
            )
        if not any(parameter.requires_grad for parameter in self.parameters()):
            raise BuildError(_("{name} has nothing to train").format(name=name))
        self._weight_decay = config.weight_decay if scratch else 0.0  # of concise ones it is the optimiser's
        self.train()
        self.to(device)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, num_outputs), or predictions (n, 1), of `x` (n, num_inputs)."""
        if self.lower:
            with self._autocast(x):
                output: Tensor = self.model(self._shaped(x))
            return output.float()
        whole: Tensor = self.model(self._shaped(x))
        return whole

    def objective(self, loss: Tensor) -> Tensor:
        if self._weight_decay == 0:
            return loss
        return loss + self._weight_decay * sum(functional.l2_penalty(w) for w in self.decaying_parameters())

"""The book's models, each from scratch and concise, built from one plan of layers; and those of other packages."""

from __future__ import annotations

import torch

from d2ltui.nn.concise import ConciseNetwork
from d2ltui.nn.foreign import BuildError, ForeignNetwork
from d2ltui.nn.init import initial_parameters
from d2ltui.nn.network import Layer, Network
from d2ltui.nn.optim import Optimizer, get_lr, load_state, make_clip, make_optimizer, set_lr
from d2ltui.nn.scratch import ScratchNetwork
from d2ltui.spec.catalogue import DatasetInfo, layer_plan
from d2ltui.spec.config import RunConfig
from d2ltui.spec.models import MODELS, image_shape

__all__ = [
    "BuildError",
    "Layer",
    "Network",
    "Optimizer",
    "build",
    "get_lr",
    "load_state",
    "make_clip",
    "make_optimizer",
    "set_lr",
]


def build(
    config: RunConfig,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    dataset: DatasetInfo | None = None,
) -> Network:
    """The network that `config` describes, with its initial weights, on `device`, in training mode.

    `dataset` gives the numbers of inputs and outputs, where it is another than the one that `config` names.

    Raises:
        BuildError: where the model is another package's and cannot be built.
    """
    network = _made(config, dtype, device, dataset)
    network.lower = config.precision == "bf16"
    network.label_smoothing = config.smoothing
    return network


def _made(config: RunConfig, dtype: torch.dtype, device: torch.device | str, dataset: DatasetInfo | None) -> Network:
    plan = layer_plan(config, dataset)
    if MODELS[config.model].build:
        return ForeignNetwork(config, dataset or config.dataset_info, dtype, device)
    kind = ScratchNetwork if config.implementation == "scratch" else ConciseNetwork
    data = dataset or config.dataset_info
    shape = image_shape(data) if any(spec.kind == "convolution" for spec in plan) else None
    return kind(config, plan, initial_parameters(config, plan), dtype, device, shape)

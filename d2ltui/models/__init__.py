"""The book's models, each from scratch and concise, built from one plan of layers."""

from __future__ import annotations

import torch

from d2ltui.catalogue import DatasetInfo, layer_plan
from d2ltui.config import RunConfig
from d2ltui.models.concise import ConciseNetwork
from d2ltui.models.init import initial_parameters
from d2ltui.models.network import Layer, Network
from d2ltui.models.optim import Optimizer, get_lr, load_state, make_optimizer, set_lr
from d2ltui.models.scratch import ScratchNetwork

__all__ = ["Layer", "Network", "Optimizer", "build", "get_lr", "load_state", "make_optimizer", "set_lr"]


def build(
    config: RunConfig,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    dataset: DatasetInfo | None = None,
) -> Network:
    """The network that `config` describes, with its initial weights, on `device`, in training mode.

    `dataset` gives the numbers of inputs and outputs, where it is another than the one that `config` names.
    """
    plan = layer_plan(config, dataset)
    kind = ScratchNetwork if config.implementation == "scratch" else ConciseNetwork
    return kind(config, plan, initial_parameters(config, plan), dtype, device)

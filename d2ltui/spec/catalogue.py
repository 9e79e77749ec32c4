"""What there is to choose: models, data sets, activations, initialisations, optimisers, and their defaults.

Plain values only. The interface shows all of this before PyTorch is imported, and `models` and `data` build from the
same tables, so what is shown is what is built.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from d2ltui.spec.datasets import DATA_FIELDS as DATA_FIELDS
from d2ltui.spec.datasets import DATASET_SOURCES as DATASET_SOURCES
from d2ltui.spec.datasets import DATASETS as DATASETS
from d2ltui.spec.datasets import DatasetInfo as DatasetInfo
from d2ltui.spec.datasets import Task as Task
from d2ltui.spec.inits import INITS
from d2ltui.spec.layers import LayerSpec
from d2ltui.spec.models import MODELS, NetworkConfig, describe_layers, refusal
from d2ltui.spec.optimizers import OPTIMIZERS

IMPLEMENTATIONS: dict[str, str] = {
    "concise": "torch.nn and torch.optim",
    "scratch": "tensors, formulas and a generator of batches",
}
# Fields that only data for one task have a use for.
ONLY_FOR: dict[str, Task] = {"label_smoothing": "classification"}
# Fields that only some values of another field have a use for, by name, with that other field.
ONLY_WITH: dict[str, str] = {
    "init_std": "init",
    "momentum": "optimizer",
    **dict.fromkeys((*ONLY_FOR, *DATA_FIELDS), "dataset"),
}
PRECISIONS: dict[str, str] = {
    "fp32": "factors of 24 significant bits",
    "tf32": "factors rounded to 11 significant bits, on NVIDIA GPUs",
    "bf16": "factors rounded to 8 significant bits, by autocast",
}
PRECISIONS_ON: dict[str, tuple[str, ...]] = {"cpu": ("fp32", "bf16"), "mps": ("fp32",)}  # of a GPU, its age decides
SCHEDULES: dict[str, str] = {
    "constant": "the same in all epochs",
    "step": "a tenth of it after each third of the epochs",
    "cosine": "half a cosine, down to 0 at the end",
    "warmup": "growing over the first tenth of the epochs, then a cosine",
}

BASE: dict[str, object] = {
    "implementation": "concise",
    "hidden": (256,),
    "activation": "relu",
    "init": "default",
    "init_std": 0.01,
    "optimizer": "sgd",
    "weight_decay": 0.0,
    "dropout": 0.0,
    "label_smoothing": 0.0,
    "batch_size": 256,
    "epochs": 10,
    "seed": 0,
    "device": "auto",
    "threads": "auto",
    "precision": "fp32",
    "momentum": 0.9,
    "schedule": "constant",
    "clip_norm": 0.0,
    "data_dir": None,
    # Of data sets that have no use for them.
    "noise": 0.0,
    "samples": 1000,
    "val_fraction": 0.2,
    "factor": 0.5,
    "turns": 1.0,
    "function": "sine",
}
# The book's settings where the book has the experiment (sections 3.4, 4.4, 5.2); elsewhere settings that learn well.
_DEFAULTS: dict[tuple[str, str], dict[str, object]] = {
    ("linear", "synthetic-linear"): {"batch_size": 32, "epochs": 3},
    ("linear", "diabetes"): {"batch_size": 32, "epochs": 30},
    ("softmax", "digits"): {"batch_size": 32, "epochs": 100},
    ("softmax", "moons"): {"batch_size": 32, "epochs": 20},
    ("softmax", "circles"): {"batch_size": 32, "epochs": 20},
    ("softmax", "spirals"): {"batch_size": 32, "epochs": 20},
    ("mlp", "digits"): {"batch_size": 32, "epochs": 100},
    ("mlp", "function"): {"batch_size": 32, "epochs": 100, "hidden": (64, 64)},
    ("mlp", "diabetes"): {"batch_size": 32, "epochs": 30, "hidden": (32,)},
    ("mlp", "synthetic-linear"): {"batch_size": 32, "epochs": 30, "hidden": (32,)},
    ("mlp", "moons"): {"batch_size": 32, "epochs": 50, "hidden": (32,)},
    ("mlp", "circles"): {"batch_size": 32, "epochs": 50, "hidden": (32,)},
    ("mlp", "spirals"): {"batch_size": 32, "epochs": 200, "hidden": (64, 64)},
}
# Learning rates that are better than the optimiser's usual one. Short trainings and small networks take longer steps;
# of wide layers those would kill ReLUs. All measured: `python -m tests.benchmarks.defaults`.
_SMALL = {"adagrad": 0.1, "rmsprop": 0.01, "adam": 0.01}  # few inputs, 500 to 1,250 steps
_LR_ON: dict[tuple[str, str], dict[str, float]] = {
    # 96 steps from 0 to a bias of 4.2
    ("linear", "synthetic-linear"): {"sgd": 0.03, "momentum": 0.003, "adagrad": 1.0, "rmsprop": 0.1, "adam": 0.3},
    # More learns its 353 patients by heart.
    ("linear", "diabetes"): {"sgd": 0.003, "momentum": 0.0003},
    ("softmax", "moons"): _SMALL,
    ("softmax", "circles"): _SMALL,
    ("softmax", "spirals"): _SMALL,
    ("softmax", "digits"): {"adagrad": 0.1},
    ("softmax", "mnist"): {"adagrad": 0.03},
    ("softmax", "fashion-mnist"): {"adagrad": 0.03},
    ("mlp", "moons"): {**_SMALL, "sgd": 0.3, "momentum": 0.03},
    ("mlp", "circles"): _SMALL,
    ("mlp", "spirals"): {"adagrad": 0.03},
    ("mlp", "function"): {"sgd": 0.03, "momentum": 0.003, "adagrad": 0.03, "rmsprop": 0.001, "adam": 0.003},
}
# The sigmoid's slope is ¼ at most, so that its gradients are small; RMSprop and Adam make up for that.
# Adagrad's 0.3, which a short training on two inputs wants, saturates units of many inputs, and of a long training.
_LR_SIGMOID = {"sgd": 1.0, "momentum": 0.1}
_LR_SIGMOID_ON: dict[str, dict[str, float]] = {name: {"adagrad": 0.3} for name in ("moons", "circles")}


_MANY_SAMPLES = 10_000  # from here on, the book's batches of 256 and its 10 epochs are steps enough
_USUAL_STEPS = 2500
# As many as a small picture in colour has. All are positive, so that together they move a logit far: on pieces of
# photographs softmax regression by SGD swings with a rate of 0.1, and hardly learns with 0.03.
_MANY_INPUTS = 1000


def _usual_settings(data: DatasetInfo | None) -> dict[str, object]:
    """The batch size and number of epochs for a data set that has no defaults of its own: both give it enough steps."""
    if data is None or data.train_size >= _MANY_SAMPLES:
        return {}
    batch_size = min(32, data.train_size)
    epochs = math.ceil(_USUAL_STEPS / math.ceil(data.train_size / batch_size))
    return {"batch_size": batch_size, "epochs": min(200, max(10, epochs))}


def _usual_rates(model: str, data: DatasetInfo | None) -> dict[str, float]:
    """Learning rates for a data set that has none of its own, by optimiser."""
    if data is None:
        return {}
    if model == "softmax" and data.num_inputs > _MANY_INPUTS:
        return {"sgd": 0.01, "momentum": 0.001}
    if data.task != "regression":
        return {}
    if model != "linear":  # its squared error has no bound, so that layers want shorter steps than with cross-entropy
        return {"sgd": 0.01, "momentum": 0.001}
    # Of n inputs with variance 1, the loss's largest curvature is n + 1 at most, and steps beyond twice its inverse
    # diverge. A rate of one digit is easier to read.
    sgd = min(0.03, float(f"{1 / (data.num_inputs + 1):.0e}"))
    return {"sgd": sgd, "momentum": sgd / 10, "rmsprop": 0.01, "adam": 0.01}


def values_with(field: str) -> tuple[str, ...]:
    """The values of the field `ONLY_WITH[field]` that have a use for `field`."""
    if field in ONLY_FOR:
        return tuple(name for name, info in DATASETS.items() if info.task == ONLY_FOR[field])
    return tuple(name for name, spec in _specs_of(ONLY_WITH[field]).items() if field in spec.fields)


def _specs_of(field: str) -> Mapping[str, Any]:
    by_field: dict[str, Mapping[str, Any]] = {"init": INITS, "optimizer": OPTIMIZERS, "dataset": DATASET_SOURCES}
    return by_field[field]


def has_use(field: str, params: Mapping[str, object]) -> bool:
    """Whether `field` changes anything in a run of `params`: momentum does where the optimiser is one with momentum.

    Nothing is known of the choices of a package that is not here: of those it may.
    """
    other = ONLY_WITH.get(field)
    if other is None or params.get(other) not in _specs_of(other):
        return True
    return params[other] in values_with(field)


def default_model(dataset: str) -> str:
    """The model that the application proposes for a data set."""
    return "linear" if DATASETS[dataset].task == "regression" and dataset != "function" else "mlp"


def default_lr(model: str, dataset: str, optimizer: str, activation: str) -> float:
    """The learning rate that a run has where none is given. `activation` concerns a multilayer perceptron only."""
    rates = dict(_LR_ON.get((model, dataset), _usual_rates(model, DATASETS.get(dataset))))
    if model == "mlp" and activation == "sigmoid" and dataset in DATASETS and DATASETS[dataset].task != "regression":
        rates |= {**_LR_SIGMOID, **_LR_SIGMOID_ON.get(dataset, {})}
    spec = OPTIMIZERS[optimizer]
    return rates.get(optimizer, rates.get(spec.rates_of, spec.lr))


def defaults(
    model: str, dataset: str, optimizer: str = str(BASE["optimizer"]), activation: str | None = None
) -> dict[str, object]:
    """Every hyperparameter's default for `model` on `dataset`, by field name, beside that choice of the two others."""
    data = DATASETS.get(dataset)
    own = MODELS[model].defaults if model in MODELS else {}  # a stored run may be of another version's model
    of_data = DATASET_SOURCES[dataset].fields if dataset in DATASET_SOURCES else {}
    usual = {**BASE, **of_data, **_usual_settings(data), **own, **_DEFAULTS.get((model, dataset), {})}
    if data is not None and int(str(usual["batch_size"])) > data.train_size:
        usual["batch_size"] = data.train_size
    chosen = activation if activation is not None else str(usual["activation"])
    return {
        **usual,
        "model": model,
        "dataset": dataset,
        "optimizer": optimizer,
        "activation": chosen,
        "lr": default_lr(model, dataset, optimizer, chosen),
    }


def datasets_for(model: str) -> tuple[str, ...]:
    """The data sets that `model` can be trained on."""
    spec = MODELS[model]
    return tuple(info.name for info in DATASETS.values() if info.task in spec.tasks and not refusal(spec, info))


def layer_plan(config: NetworkConfig, dataset: DatasetInfo | None = None) -> tuple[LayerSpec, ...]:
    """The layers that `config` describes, in order, with shapes and numbers of parameters.

    `dataset` gives the shapes of inputs and outputs, where it is another than the one that `config` names.

    Raises:
        PlanError: where the model is another package's and has none for these; `resolve` makes no such configuration.
    """
    return describe_layers(config, dataset or config.dataset_info)

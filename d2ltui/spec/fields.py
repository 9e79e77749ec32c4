"""The table of fields: every hyperparameter, what it may be, and how it is described.

The command line's options, the form, the help and the check of every value are made of this one table.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec

from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.inits import INITS
from d2ltui.spec.language import _
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import setting
from d2ltui.spec.optimizers import OPTIMIZERS
from d2ltui.spec.synthetic import FUNCTIONS

MAX_WIDTH = 65_536
MAX_LAYERS = 200
MAX_SAMPLES = 1_000_000
MAX_EPOCHS = 1_000_000
MAX_THREADS = 1024
MAX_DIGITS = 400  # of a number as text: 1e-400 is 0, written out or not
MAX_PATH = 250  # characters of a path that are told


class Field(msgspec.Struct, frozen=True):
    """One hyperparameter: what it is called, what it may be, and how it is described."""

    name: str
    label: str
    kind: Literal["choice", "float", "int", "ints", "device", "threads", "path"]
    help: str
    choices: Any = ()  # a collection of names
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False  # whether `low` itself is excluded
    high_open: bool = False
    seldom: bool = False  # whether a form with few rows does without it

    @property
    def option(self) -> str:
        """Its command line option."""
        return "--" + self.name.replace("_", "-")

    @property
    def allowed(self) -> str:
        """What may stand there, in words."""
        if self.kind == "choice":
            return ", ".join(self.choices)
        if self.kind == "device":
            return "auto, cpu, cuda, cuda:N, mps"
        if self.kind == "threads":
            return _("auto, or a whole number from {low} to {high}").format(low=int(self.low), high=int(self.high))
        if self.kind == "path":
            return _("an existing, readable directory")
        if self.kind == "ints":
            return _("1 to {most} whole numbers from {low} to {high}, separated by commas, such as 256,128").format(
                most=MAX_LAYERS, low=int(self.low), high=int(self.high)
            )
        number = _("a whole number") if self.kind == "int" else _("a finite number")
        if math.isinf(self.high):
            return (
                _("{number} greater than {low}").format(number=number, low=setting(self.low))
                if self.low_open
                else _("{number}, {low} or more").format(number=number, low=setting(self.low))
            )
        if self.high_open:
            return _("{number}, {low} or more and less than {high}").format(
                number=number, low=setting(self.low), high=setting(self.high)
            )
        return _("{number} from {low} to {high}").format(number=number, low=int(self.low), high=int(self.high))


def _table(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


FIELDS: dict[str, Field] = _table(
    Field("model", "model", "choice", "the model", MODELS),
    Field(
        "implementation",
        "built",
        "choice",
        "concise (torch.nn) or from scratch (tensors and formulas)",
        tuple(catalogue.IMPLEMENTATIONS),
    ),
    Field("dataset", "data set", "choice", "the data set", catalogue.DATASETS),
    Field("function", "function", "choice", "the function of one input that is to be fitted", FUNCTIONS),
    Field("noise", "noise", "float", "standard deviation of what is added to synthetic data", low=0, high=1000),
    Field("samples", "samples", "int", "of synthetic data, for training and validation", low=20, high=MAX_SAMPLES),
    Field(
        "val_fraction",
        "val fraction",
        "float",
        "share of the samples that is for validation",
        low=0.01,
        high=1,
        high_open=True,
    ),
    Field("factor", "factor", "float", "radius of circles' inner one", low=0, high=1, high_open=True),
    Field("turns", "turns", "float", "of each arm of spirals", low=0, high=100),
    Field("hidden", "hidden", "ints", "units of each hidden layer", low=1, high=MAX_WIDTH),
    Field("activation", "activation", "choice", "between the layers", ACTIVATIONS),
    Field("init", "init", "choice", "how the weights are initialised", INITS),
    Field("init_std", "init sd", "float", "standard deviation of --init normal", low=0, low_open=True),
    Field("optimizer", "optimizer", "choice", "how the weights are updated", OPTIMIZERS),
    Field("lr", "lr", "float", "learning rate; its default depends on the optimizer", low=0, low_open=True),
    Field(
        "momentum",
        "momentum",
        "float",
        "share of each step that is added to the next one",
        low=0,
        high=1,
        high_open=True,
    ),
    Field(
        "schedule", "schedule", "choice", "how the learning rate changes over the epochs", tuple(catalogue.SCHEDULES)
    ),
    Field("clip_norm", "clip norm", "float", "largest norm that the gradient may have; 0 for any", low=0),
    Field("weight_decay", "weight decay", "float", "weight λ of the penalty λ/2·‖w‖²", low=0),
    Field("dropout", "dropout", "float", "probability of dropping a hidden unit", low=0, high=1, high_open=True),
    Field(
        "label_smoothing",
        "label smooth",
        "float",
        "share ε of each label that is spread over all classes; validation losses are without it",
        low=0,
        high=1,
        high_open=True,
        seldom=True,
    ),
    Field("batch_size", "batch size", "int", "samples in a step", low=1),
    Field("epochs", "epochs", "int", "passes over the training data", low=1, high=MAX_EPOCHS),
    Field("seed", "seed", "int", "of weights, data and order", low=0, high=2**31 - 1),
    Field("device", "device", "device", "where to train: auto, cpu, cuda, cuda:N or mps"),
    Field("threads", "threads", "threads", "of PyTorch on a CPU: auto (what is idle) or N", low=1, high=MAX_THREADS),
    Field(
        "precision",
        "precision",
        "choice",
        "of products: fp32, tf32 (NVIDIA GPUs), bf16 (autocast)",
        tuple(catalogue.PRECISIONS),
    ),
    Field("data_dir", "data dir", "path", "torchvision's root, for data sets that are downloaded"),
)

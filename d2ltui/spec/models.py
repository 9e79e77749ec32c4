"""The models, and all that the program needs to know of each before it is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.datasets import DATASETS, DatasetInfo, Task
from d2ltui.spec.language import _
from d2ltui.spec.layers import LayerKind, LayerSpec
from d2ltui.spec.numbers import setting
from d2ltui.spec.registry import Registry, check_line, check_reference
from d2ltui.spec.text import printable


class NetworkConfig(Protocol):
    """What a network depends on of a run's configuration."""

    @property
    def model(self) -> str:
        """Its name."""

    @property
    def hidden(self) -> tuple[int, ...]:
        """Units of each hidden layer."""

    @property
    def activation(self) -> str:
        """The name of the activation function between the layers."""

    @property
    def dropout(self) -> float:
        """The probability of dropping a hidden unit."""

    @property
    def dataset_info(self) -> DatasetInfo:
        """The data set as it is for this run."""


class ModelSpec(msgspec.Struct, frozen=True):
    """A model.

    `task` is what it is for, and `also` are other tasks that it has layers for. `fields` are the hyperparameters that
    it has, in the order in which a form shows them, and `defaults` those that have another default than elsewhere.
    `plan(config, data)` gives its layers for a data set, and `refuses(data)` says why there are none for it, or "".

    The layers one after another are the network, concise and from scratch. A network that is no such chain is built by
    the function that `build` refers to, `module:function`, and from scratch by that of `scratch`, where there is one:
    each is called as `plan` is and returns an `nn.Module`, from samples (n, *input_shape) to (n, num_outputs). What it
    draws comes from PyTorch's own generator, which the run's seed has seeded.
    """

    name: str
    title: str
    task: Task
    section: str
    description: str
    fields: tuple[str, ...]
    default_dataset: str
    plan: Callable[[NetworkConfig, DatasetInfo], tuple[LayerSpec, ...]]
    defaults: dict[str, object] = {}
    refuses: Callable[[DatasetInfo], str] = lambda data: ""
    build: str = ""
    scratch: str = ""
    also: tuple[Task, ...] = ()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Those that it can be trained for."""
        return (self.task, *self.also)

    @property
    def implementations(self) -> tuple[str, ...]:
        """Those that it has of the catalogue's."""
        return ("concise", "scratch") if self.scratch or not self.build else ("concise",)


class PlanError(ValueError):
    """A model of another package has failed before there was a network. Its text is one sentence."""


def describe_layers(config: NetworkConfig, data: DatasetInfo) -> tuple[LayerSpec, ...]:
    """The layers that a run's model says it has.

    Raises:
        PlanError: where it cannot say, or says nothing of the kind.
    """
    model = MODELS[config.model]
    try:
        layers = tuple(model.plan(config, data))
        if not layers or not all(isinstance(layer, LayerSpec) for layer in layers):
            raise TypeError("its plan has no layers")
    except Exception as error:  # whatever another package's function raises, it is told in words
        said = printable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, 300)
        raise PlanError(_("model: '{name}' is not allowed here; {said}").format(name=model.name, said=said)) from error
    return layers


def refusal(model: ModelSpec, data: DatasetInfo) -> str:
    """Why `model` has no layers for `data`, or ""."""
    try:
        return str(model.refuses(data))
    except Exception as error:  # whatever another package's function raises, it is told in words
        return printable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, 300)


def check_model(model: ModelSpec) -> None:
    """That `model` can be offered. Raises ValueError, with what is wrong."""
    check_line(model, "title", "description")
    if wrong := [name for name in (*model.fields, *model.defaults) if name not in (*OWN, *COMMON)]:
        raise ValueError(f"fields: {wrong[0]!r} is not allowed; allowed: {', '.join((*OWN, *COMMON))}")
    if model.default_dataset not in DATASETS:
        raise ValueError(f"default_dataset: {model.default_dataset!r} is not a data set")
    if DATASETS[model.default_dataset].task not in model.tasks:
        raise ValueError(f"default_dataset: the task of {model.default_dataset} is not {model.task}")
    if not callable(model.plan) or not callable(model.refuses):
        raise ValueError("plan, refuses: they are not functions")
    for field in ("build", "scratch"):
        if getattr(model, field):
            check_reference(model, field)
    if model.scratch and not model.build:
        raise ValueError("scratch: not allowed without build")


# Hyperparameters that some models have, and those that all have.
OWN = ("hidden", "activation", "dropout", "label_smoothing")
COMMON = (
    "optimizer", "momentum", "lr", "schedule", "clip_norm", "weight_decay", "batch_size", "epochs", "init", "init_std",
    "seed", "device", "threads", "precision",
)  # fmt: skip
MODELS: Registry[ModelSpec] = Registry("d2ltui.models", ModelSpec, check_model)


class Plan:
    """A chain of layers in the making: each is added behind the last one.

    Args:
        config: the run's, which says which activation and how much dropout.
        shape: of a sample.
    """

    def __init__(self, config: NetworkConfig, shape: tuple[int, ...]) -> None:
        self._config, self._shape = config, shape
        self.layers: list[LayerSpec] = []

    def linear(self, num_outputs: int) -> None:
        """Every input to every output."""
        (num_inputs,) = self._shape
        self._add("linear", "Linear", num_outputs, num_inputs, (num_inputs + 1) * num_outputs, (num_outputs,))

    def activation(self) -> None:
        """The run's activation function. An identity has no layer: it does nothing, which a learner should see."""
        if self._config.activation != "identity":
            self._same("activation", ACTIVATIONS[self._config.activation].title)

    def dropout(self) -> None:
        """The run's dropout, where it has any."""
        if self._config.dropout > 0:
            self._same("dropout", f"Dropout {setting(self._config.dropout)}")

    def convolution(self, channels: int, kernel: int, padding: int = 0) -> None:
        """`channels` kernels of kernel × kernel pixels (section 7.2)."""
        before, height, width = self._shape
        shape = (channels, height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1)
        parameters = channels * (before * kernel * kernel + 1)
        self._add("convolution", f"Conv {kernel}×{kernel}", channels, before, parameters, shape, kernel, padding)

    def average_pooling(self, kernel: int) -> None:
        """The means of squares of kernel × kernel pixels (section 7.5)."""
        channels, height, width = self._shape
        shape = (channels, height // kernel, width // kernel)
        self._add("pooling", f"AvgPool {kernel}×{kernel}", channels, channels, 0, shape, kernel)

    def flatten(self) -> None:
        """All numbers of a sample in a row."""
        numbers = self._shape[0] * self._shape[1] * self._shape[2]
        self._add("flatten", "Flatten", numbers, numbers, 0, (numbers,))

    def _same(self, kind: LayerKind, name: str) -> None:
        self._add(kind, name, self._shape[0], self._shape[0], 0, self._shape)

    def _add(
        self,
        kind: LayerKind,
        name: str,
        num_outputs: int,
        num_inputs: int,
        parameters: int,
        shape: tuple[int, ...],
        kernel: int = 0,
        padding: int = 0,
    ) -> None:
        self._shape = shape
        kept = shape if len(shape) > 1 else ()
        index = len(self.layers) + 1
        self.layers.append(LayerSpec(index, kind, name, num_inputs, num_outputs, parameters, kept, kernel, padding))


def _one_linear(config: NetworkConfig, data: DatasetInfo) -> tuple[LayerSpec, ...]:
    plan = Plan(config, (data.num_inputs,))
    plan.linear(data.num_outputs)
    return tuple(plan.layers)


def _mlp(config: NetworkConfig, data: DatasetInfo) -> tuple[LayerSpec, ...]:
    plan = Plan(config, (data.num_inputs,))
    for num_hiddens in config.hidden:
        plan.linear(num_hiddens)
        plan.activation()
        plan.dropout()
    plan.linear(data.num_outputs)
    return tuple(plan.layers)


def image_shape(data: DatasetInfo) -> tuple[int, int, int]:
    """Channels, height and width of a sample of `data`; a picture in grey levels has one channel."""
    shape = data.input_shape
    return (1, shape[0], shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])


LENET_SMALLEST = 12  # pixels: smaller ones are gone before the second convolution has a place to stand


def _lenet(config: NetworkConfig, data: DatasetInfo) -> tuple[LayerSpec, ...]:
    plan = Plan(config, image_shape(data))
    plan.convolution(6, kernel=5, padding=2)
    plan.activation()
    plan.average_pooling(2)
    plan.convolution(16, kernel=5)
    plan.activation()
    plan.average_pooling(2)
    plan.flatten()
    for num_hiddens in (120, 84):
        plan.linear(num_hiddens)
        plan.activation()
    plan.linear(data.num_outputs)
    return tuple(plan.layers)


def _no_image_for_lenet(data: DatasetInfo) -> str:
    if len(data.input_shape) < 2:
        return _("{name} has no pictures").format(name=data.name)
    __, height, width = image_shape(data)
    if min(height, width) < LENET_SMALLEST:
        least = f"{LENET_SMALLEST}×{LENET_SMALLEST}"
        return _("the pictures of {name} are {height}×{width}, and the model needs {least} or more").format(
            name=data.name, height=height, width=width, least=least
        )
    return ""


for _model in (
    ModelSpec(
        name="linear",
        title="Linear regression",
        task="regression",
        section="3.4, 3.5",
        description="ŷ = Xw + b, fitted by squared error",
        fields=COMMON,
        default_dataset="synthetic-linear",
        plan=_one_linear,
    ),
    ModelSpec(
        name="softmax",
        title="Softmax regression",
        task="classification",
        section="4.4, 4.5",
        description="softmax(XW + b), fitted by cross-entropy",
        fields=("label_smoothing", *COMMON),
        default_dataset="digits",
        plan=_one_linear,
    ),
    ModelSpec(
        name="mlp",
        title="Multilayer perceptron",
        task="classification",
        section="5.2",
        description="hidden layers with an activation function between them",
        fields=("hidden", "activation", "dropout", "label_smoothing", *COMMON),
        default_dataset="digits",
        plan=_mlp,
        also=("regression",),
    ),
    ModelSpec(
        name="lenet",
        title="LeNet",
        task="classification",
        section="7.6",
        description="two convolutions with pooling, and three linear layers, on pictures",
        fields=("activation", "label_smoothing", *COMMON),
        default_dataset="fashion-mnist",
        plan=_lenet,
        defaults={"activation": "sigmoid", "init": "xavier", "batch_size": 128},
        refuses=_no_image_for_lenet,
    ),
):
    MODELS.register(_model)

"""RunConfig: everything that decides a run, and the one table of fields that validates it.

The command line, the form and a configuration file all go through `resolve`, so a wrong value gets the same sentence
wherever it was written: it names the field, the value, and what is allowed.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.cores import available_cores
from d2ltui.spec.datasets import DATASET_SOURCES, DatasetInfo, DescriptionError
from d2ltui.spec.folders import root_above
from d2ltui.spec.inits import INITS
from d2ltui.spec.models import MODELS, PlanError, refusal
from d2ltui.spec.optimizers import OPTIMIZERS, from_scratch
from d2ltui.spec.similar import did_you_mean
from d2ltui.spec.text import MAX_VALUE, are, counted, printable

MAX_WIDTH = 65_536
MAX_LAYERS = 200
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
            return f"auto, or a whole number from {self.low:.0f} to {self.high:.0f}"
        if self.kind == "path":
            return "an existing, readable directory"
        if self.kind == "ints":
            return (
                f"1 to {MAX_LAYERS} whole numbers from {self.low:.0f} to {self.high:.0f}, separated by commas, "
                "such as 256,128"
            )
        number = "a whole number" if self.kind == "int" else "a finite number"
        if math.isinf(self.high):
            return f"{number} greater than {self.low:g}" if self.low_open else f"{number}, {self.low:g} or more"
        if self.high_open:
            return f"{number}, {self.low:g} or more and less than {self.high:g}"
        return f"{number} from {self.low:.0f} to {self.high:.0f}"


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
    Field("hidden", "hidden", "ints", "units of each hidden layer", low=1, high=MAX_WIDTH),
    Field("activation", "activation", "choice", "between the layers", ACTIVATIONS),
    Field("init", "init", "choice", "how the weights start", INITS),
    Field("init_std", "init sd", "float", "standard deviation of --init normal", low=0, low_open=True),
    Field("optimizer", "optimizer", "choice", "how the weights move", OPTIMIZERS),
    Field("lr", "lr", "float", "learning rate; its default depends on the optimizer", low=0, low_open=True),
    Field(
        "momentum",
        "momentum",
        "float",
        "share of each step that the next one takes again",
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
    Field("batch_size", "batch size", "int", "samples in a step", low=1),
    Field("epochs", "epochs", "int", "passes over the training data", low=1, high=MAX_EPOCHS),
    Field("seed", "seed", "int", "of weights, data and order", low=0, high=2**31 - 1),
    Field("device", "device", "device", "where to train: auto, cpu, cuda, cuda:N or mps"),
    Field("threads", "threads", "threads", "of PyTorch on a CPU: auto (what is idle) or N", low=1, high=MAX_THREADS),
    Field("data_dir", "data dir", "path", "torchvision's root, for data sets that are downloaded"),
)


class RunConfig(msgspec.Struct, frozen=True, omit_defaults=False):
    """A run, completely described. Build it with `resolve`, which fills in defaults and validates.

    What has been stored, by whatever version, is read by `versions.read_config`.
    """

    model: str
    implementation: str
    dataset: str
    hidden: tuple[int, ...]
    activation: str
    init: str
    init_std: float
    optimizer: str
    lr: float
    weight_decay: float
    dropout: float
    batch_size: int
    epochs: int
    seed: int
    device: str
    data_dir: str | None = None
    # Runs that were stored before there was a choice have none.
    threads: int | str = "auto"
    momentum: float = 0.9
    schedule: str = "constant"
    clip_norm: float = 0.0

    @property
    def task(self) -> catalogue.Task:
        """Regression or classification."""
        return MODELS[self.model].task

    @property
    def dataset_info(self) -> DatasetInfo:
        """The data set as it is for this run: its size and shape may depend on the parameters.

        Raises:
            DescriptionError: where there is none for these; `resolve` makes no such configuration.
        """
        return DATASET_SOURCES[self.dataset].describe(msgspec.structs.asdict(self))

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the training data; the last one may be smaller."""
        return math.ceil(self.dataset_info.train_size / self.batch_size)

    @property
    def total_steps(self) -> int:
        """Training steps of the whole run."""
        return self.steps_per_epoch * self.epochs


class Problem(msgspec.Struct, frozen=True):
    """Something wrong with one field, as one sentence. `field` is empty when it concerns no single field."""

    field: str
    message: str


class ConfigError(ValueError):
    """A configuration that cannot be run. `problems` holds a sentence for each wrong field."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in self.problems))


def wrong(name: str, value: object, allowed: str, hint: str = "") -> Problem:
    """The sentence for a wrong value: the field, the value, what is allowed."""
    return Problem(name, f"{name}: {_shown(name, value)} is not allowed{hint}; allowed: {allowed}")


def _shown(name: str, value: object) -> str:
    most = MAX_PATH if name in FIELDS and FIELDS[name].kind == "path" else MAX_VALUE
    if isinstance(value, str):
        return f"'{printable(value, most)}'"
    try:
        return printable(value, most)
    except ValueError:  # Python does not write out a whole number of more than 4300 digits
        return "a number that long"
    except RecursionError:
        return "a list that deep"


def _number(field: Field, value: object) -> float | int | None:
    """`value` as the field's kind of number, or None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and len(value) > MAX_DIGITS:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    if field.kind == "float":
        return number
    if isinstance(value, str) and not re.fullmatch(r"\s*[+-]?\d+\s*", value):
        return None
    return int(value) if number == int(number) else None


def _in_range(field: Field, number: float) -> bool:
    above = number > field.low if field.low_open else number >= field.low
    below = number < field.high if field.high_open else number <= field.high
    return above and below


def _integers(field: Field, value: object) -> tuple[int, ...] | None:
    parts: list[object]
    if isinstance(value, str):
        if len(value) > MAX_LAYERS * 20:  # more than that many numbers, or none
            return None
        parts = [part for part in re.split(r"[,\s]+", value.strip()) if part] if value.strip() else []
        if re.search(r",\s*,|^\s*,|,\s*$", value):
            return None
    elif isinstance(value, (list, tuple)):
        parts = list(value)
    else:
        parts = [value]
    numbers = [_number(Field("", "", "int", ""), part) for part in parts]
    if not 1 <= len(numbers) <= MAX_LAYERS or any(n is None or not _in_range(field, n) for n in numbers):
        return None
    return tuple(int(n) for n in numbers if n is not None)


def parse(name: str, value: object) -> object:
    """`value`, from a command line, a form or a file, as the field's own type.

    Raises:
        ConfigError: with one sentence, where the value is not allowed.
    """
    field = FIELDS[name]
    if field.kind == "choice":
        if isinstance(value, str) and value in field.choices:
            return value
        hint = did_you_mean(value, field.choices) if isinstance(value, str) else ""
        raise ConfigError([wrong(name, value, field.allowed, hint)])
    if field.kind == "device":
        if isinstance(value, str) and re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]{1,4})?", value):
            return value
        raise ConfigError([wrong(name, value, field.allowed)])
    if field.kind == "path":
        return _directory(name, value)
    if field.kind == "ints":
        integers = _integers(field, value)
        if integers is None:
            raise ConfigError([wrong(name, value, field.allowed)])
        return integers
    if field.kind == "threads" and value == "auto":
        return value
    number = _number(field, value)
    if number is None or not _in_range(field, number):
        raise ConfigError([wrong(name, value, field.allowed)])
    return number


def check_threads(config: RunConfig) -> None:
    """That this machine has a core for each of the threads that are asked for.

    Raises:
        ConfigError: with one sentence, where it has not: threads that wait for a core hold up all the others.
    """
    if isinstance(config.threads, int) and config.threads > (cores := available_cores()):
        allowed = f"auto, or a whole number from 1 to {cores}" if cores > 1 else "auto or 1"
        raise ConfigError(
            [wrong("threads", config.threads, allowed, f" (there {are(cores)} {counted(cores, 'core')})")]
        )


def check_environment(config: RunConfig | None = None) -> None:
    """That this machine has what the run `config` needs: cores for its threads, and the directory of its data.

    Without a `config`, that D2LTUI_DATA_DIR, which stands for a `data_dir` that is not given, is one where it is set.

    Raises:
        ConfigError: with one sentence, where it is not.
    """
    if config is not None:
        check_threads(config)
    if config is not None and (config.dataset_info.embedded or config.data_dir is not None):
        return
    try:
        _directory("D2LTUI_DATA_DIR", os.environ.get("D2LTUI_DATA_DIR"))
    except ConfigError as error:
        raise ConfigError([Problem("data_dir", problem.message) for problem in error.problems]) from None


def _directory(name: str, value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ConfigError([wrong(name, value, FIELDS["data_dir"].allowed)])
    try:
        path = Path(value).expanduser()
        next(path.iterdir(), None)
    except FileNotFoundError:
        reason = " (there is no such directory)"
    except NotADirectoryError:
        reason = " (it is not a directory)"
    except OSError as error:
        reason = f" ({error.strerror})"
    except (ValueError, RuntimeError):  # a zero byte; ~ and a user that there is not
        reason = " (no directory can have this name)"
    else:
        if (root := root_above(path)) is None:
            return str(path)
        reason = " (it lies within torchvision's root)"
    allowed = FIELDS["data_dir"].allowed
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        if (root := root_above(Path(value).expanduser())) is not None:
            allowed = printable(root, MAX_PATH)
    raise ConfigError([wrong(name, value, allowed, reason)])


def _cross_field_problems(config: RunConfig, given: Mapping[str, object], unused: bool) -> Iterable[Problem]:
    """What is wrong between fields that are each right."""
    model, data = MODELS[config.model], catalogue.DATASETS[config.dataset]
    try:
        data = config.dataset_info
    except DescriptionError as error:
        yield Problem("dataset", str(error))
    why = refusal(model, data) if data.task == model.task else f"its task is {data.task}"
    if why:
        allowed = f"with model {model.name}, {', '.join(catalogue.datasets_for(model.name))}"
        yield wrong("dataset", data.name, allowed, f" ({why})")
    else:
        try:
            catalogue.layer_plan(config, data)
        except PlanError as error:
            yield Problem("model", str(error))
    if config.implementation not in model.implementations:
        allowed = f"with model {model.name}, {', '.join(model.implementations)}"
        yield wrong("implementation", config.implementation, allowed)
    if not unused:
        yield from _unused(config, given)
    if config.implementation == "scratch" and config.optimizer not in from_scratch():
        yield wrong(
            "optimizer",
            config.optimizer,
            f"from scratch, {', '.join(from_scratch())}",
            " (the from-scratch implementation has only SGD)",
        )
    if config.batch_size > data.train_size:
        yield wrong("batch_size", config.batch_size, f"1 to {data.train_size}, the training samples of {data.name}")


def _unused(config: RunConfig, given: Mapping[str, object]) -> Iterable[Problem]:
    """What is given, and the run has no use for: nobody should believe that it had an effect."""
    fields = MODELS[config.model].fields
    for name in given:
        if name not in FIELDS or name in _always_applicable():
            continue
        if name not in fields:
            models = [m.name for m in MODELS.values() if name in m.fields]
            yield wrong(
                name, given[name], f"with model {' or '.join(models)}", f" (model {config.model} has no {name})"
            )
        elif name in catalogue.ONLY_WITH:
            other, having = catalogue.ONLY_WITH[name], catalogue.values_with(name)
            if (chosen := getattr(config, other)) not in having:
                yield wrong(
                    name, given[name], f"with {other} {' or '.join(having)}", f" ({other} {chosen} has no {name})"
                )


def _always_applicable() -> tuple[str, ...]:
    return ("model", "implementation", "dataset", "data_dir")


def applicable_fields(model: str) -> tuple[str, ...]:
    """The fields that a form shows for `model` and that a saved configuration holds."""
    return ("implementation", *MODELS[model].fields)


def resolve(given: Mapping[str, object], *, unused: bool = False) -> RunConfig:
    """The run that `given` (field name to value, possibly text) describes; what is not given gets the book's default.

    With `unused`, fields that the run has no use for may be given, too: stored runs of older versions have them.

    Raises:
        ConfigError: with a sentence for every wrong field.
    """
    problems: list[Problem] = []
    parsed: dict[str, object] = {}
    for name, value in given.items():
        if name not in FIELDS:
            shown = printable(name, MAX_VALUE)
            said = f"{shown}: no such field{did_you_mean(name, FIELDS)}; allowed: {', '.join(FIELDS)}"
            problems.append(Problem(name, said))
            continue
        try:
            parsed[name] = parse(name, value)
        except ConfigError as error:
            problems.extend(error.problems)
    dataset = parsed.get("dataset")
    if isinstance(parsed.get("model"), str):
        model = str(parsed["model"])
    else:
        model = catalogue.default_model(dataset) if isinstance(dataset, str) else "mlp"
    if not isinstance(dataset, str):
        dataset = MODELS[model].default_dataset
    # The learning rate's default depends on these.
    chosen = {name: str(parsed[name]) for name in ("optimizer", "activation") if name in parsed}
    values = {**catalogue.defaults(model, dataset, **chosen), **parsed}
    config = msgspec.convert(values, RunConfig)
    if not {"model", "dataset"} & {problem.field for problem in problems}:
        # Otherwise the defaults that stand in for what was meant would be held against the other fields.
        problems.extend(_cross_field_problems(config, given, unused))
    if problems:
        seen: dict[str, Problem] = {}
        for problem in problems:
            seen.setdefault(problem.field, problem)
        raise ConfigError(seen.values())
    return config

"""RunConfig: everything that decides a run of this engine.

The command line, the form and a configuration file all go through `resolve`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping

import msgspec

from d2ltui.spec import catalogue
from d2ltui.spec.cores import available_cores
from d2ltui.spec.datasets import DATASET_SOURCES, DatasetInfo, DescriptionError
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.models import MODELS, PlanError, refusal
from d2ltui.spec.optimizers import from_scratch
from d2ltui.spec.parsing import ConfigError, Problem, parse, parse_directory, wrong
from d2ltui.spec.similar import did_you_mean
from d2ltui.spec.synthetic import LEAST_SAMPLES, allowed_fractions
from d2ltui.spec.text import MAX_VALUE, counted, printable


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
    noise: float = 0.0
    samples: int = 1000
    val_fraction: float = 0.2
    factor: float = 0.5
    turns: float = 1.0
    function: str = "sine"
    precision: str = "fp32"
    label_smoothing: float = 0.0

    @property
    def task(self) -> catalogue.Task:
        """Regression or classification."""
        source = DATASET_SOURCES.get(self.dataset)  # a stored run's may be another version's
        return source.task if source is not None else MODELS[self.model].task

    @property
    def smoothing(self) -> float:
        """The share of each label that is spread over all classes in training; 0 where there are none."""
        classifies = self.task == "classification" and "label_smoothing" in MODELS[self.model].fields
        return self.label_smoothing if classifies else 0.0

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


def check_threads(config: RunConfig) -> None:
    """That this machine has a core for each of the threads that are asked for.

    Raises:
        ConfigError: with one sentence, where it has not: threads that wait for a core hold up all the others.
    """
    if isinstance(config.threads, int) and config.threads > (cores := available_cores()):
        allowed = _("auto, or a whole number from 1 to {cores}").format(cores=cores) if cores > 1 else _("auto or 1")
        raise ConfigError(
            [
                wrong(
                    "threads",
                    config.threads,
                    allowed,
                    " "
                    + ngettext("(there is {cores})", "(there are {cores})", cores).format(cores=counted(cores, "core")),
                )
            ]
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
        parse_directory("D2LTUI_DATA_DIR", os.environ.get("D2LTUI_DATA_DIR"))
    except ConfigError as error:
        raise ConfigError([Problem("data_dir", problem.message) for problem in error.problems]) from None


def _cross_field_problems(config: RunConfig, given: Mapping[str, object], unused: bool) -> Iterable[Problem]:
    """What is wrong between fields that are each right."""
    model, data = MODELS[config.model], catalogue.DATASETS[config.dataset]
    try:
        data = config.dataset_info
    except DescriptionError as error:
        yield Problem("dataset", str(error))
    why = refusal(model, data) if data.task in model.tasks else _("its task is {task}").format(task=data.task)
    if why:
        allowed = _("with model {name}, {data}").format(
            name=model.name, data=", ".join(catalogue.datasets_for(model.name))
        )
        yield wrong("dataset", data.name, allowed, f" ({why})")
    else:
        try:
            catalogue.layer_plan(config, data)
        except PlanError as error:
            yield Problem("model", str(error))
    if config.implementation not in model.implementations:
        allowed = _("with model {name}, {implementations}").format(
            name=model.name, implementations=", ".join(model.implementations)
        )
        yield wrong("implementation", config.implementation, allowed)
    if not unused:
        yield from _unused(config, given)
    yield from _cannot_compute(config)
    if config.implementation == "scratch" and config.optimizer not in from_scratch():
        yield wrong(
            "optimizer",
            config.optimizer,
            _("from scratch, {optimizers}").format(optimizers=", ".join(from_scratch())),
            _(" (the from-scratch implementation has only SGD)"),
        )
    if "val_fraction" in DATASET_SOURCES[config.dataset].fields and min(data.train_size, data.val_size) < LEAST_SAMPLES:
        left = _(" (it leaves {train_size:,} for training and {val_size:,} for validation)").format(
            train_size=data.train_size, val_size=data.val_size
        )
        yield wrong("val_fraction", config.val_fraction, allowed_fractions(config.samples), left)
    elif config.batch_size > data.train_size:
        yield wrong(
            "batch_size",
            config.batch_size,
            _("1 to {train_size}, the training samples of {name}").format(train_size=data.train_size, name=data.name),
        )


def _cannot_compute(config: RunConfig) -> Iterable[Problem]:
    """A precision that the device, where it is named, has not; of others it is known once they are there."""
    allowed = catalogue.PRECISIONS_ON.get(config.device)
    if allowed is not None and config.precision not in allowed:
        where = _("on {device}, {precisions}").format(device=config.device, precisions=", ".join(allowed))
        yield wrong("precision", config.precision, where)


def _unused(config: RunConfig, given: Mapping[str, object]) -> Iterable[Problem]:
    """What is given, and the run has no use for: nobody should believe that it had an effect."""
    fields = MODELS[config.model].fields
    for name in given:
        if name not in FIELDS or name in _always_applicable():
            continue
        if name not in fields and name not in catalogue.DATA_FIELDS:
            models = [m.name for m in MODELS.values() if name in m.fields]
            yield wrong(
                name,
                given[name],
                _("with model {models}").format(models=_(" or ").join(models)),
                _(" (model {model} has no {name})").format(model=config.model, name=name),
            )
        elif name in catalogue.ONLY_WITH:
            other, having = catalogue.ONLY_WITH[name], catalogue.values_with(name)
            if (chosen := getattr(config, other)) not in having:
                yield wrong(
                    name,
                    given[name],
                    _("with {other} {having}").format(other=other, having=_(" or ").join(having)),
                    _(" ({other} {chosen} has no {name})").format(other=other, chosen=chosen, name=name),
                )


def _with_fitting_batches(config: RunConfig) -> RunConfig:
    """The same with batches of all training samples where the usual ones are larger."""
    try:
        most = config.dataset_info.train_size
    except DescriptionError:  # which is told
        return config
    return msgspec.structs.replace(config, batch_size=min(config.batch_size, most))


def _always_applicable() -> tuple[str, ...]:
    return ("model", "implementation", "dataset", "data_dir")


def applicable_fields(model: str) -> tuple[str, ...]:
    """The fields that a form shows for `model` and that a saved configuration holds."""
    return ("implementation", *catalogue.DATA_FIELDS, *MODELS[model].fields)


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
            said = _("{shown}: no such field{hint}; allowed: {fields}").format(
                shown=shown, hint=did_you_mean(name, FIELDS), fields=", ".join(FIELDS)
            )
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
    if "batch_size" not in given:
        config = _with_fitting_batches(config)
    if not {"model", "dataset"} & {problem.field for problem in problems}:
        # Otherwise the defaults that stand in for what was meant would be held against the other fields.
        problems.extend(_cross_field_problems(config, given, unused))
    if problems:
        seen: dict[str, Problem] = {}
        for problem in problems:
            seen.setdefault(problem.field, problem)
        raise ConfigError(seen.values())
    return config


def data_key(config: RunConfig) -> tuple[object, ...]:
    """What the data of a run depends on, where its seed makes them, too."""
    return (config.dataset, config.seed, *(getattr(config, name) for name in catalogue.DATA_FIELDS))

"""What the form holds: text for each field, what was touched, what is wrong. No widgets here."""

from __future__ import annotations

from collections.abc import Collection

from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig, applicable_fields, check_threads, resolve
from d2ltui.spec.datasets import DATASET_SOURCES, DescriptionError
from d2ltui.spec.fields import MAX_SAMPLES
from d2ltui.spec.memory import check_memory
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import setting
from d2ltui.spec.optimizers import from_scratch
from d2ltui.spec.parsing import ConfigError, parse

# The fields that the defaults of others depend on.
_DECIDE = ("model", "dataset", "optimizer", "activation")


def as_text(value: object) -> str:
    """A field's value as a person would type it."""
    return "" if value is None else setting(value, exact=True)


class FormState:
    """The run that is being described.

    A field that was touched keeps its text when another changes that its default depends on (the model, the data set;
    of the learning rate also the optimiser and the activation); the others follow the defaults for the new combination.

    Args:
        config: the run to begin with. What differs from its defaults counts as touched.
        typed: the fields that somebody gave it, which count as touched also where they are the default.
    """

    def __init__(self, config: RunConfig, typed: Collection[str] = ()) -> None:
        self._texts = {name: as_text(getattr(config, name)) for name in config.__struct_fields__}
        standard = self._defaults()
        self._touched = {name for name, text in self._texts.items() if text != standard[name]} | set(typed)
        self._last = config

    def __getitem__(self, name: str) -> str:
        return self._texts[name]

    @property
    def last_valid(self) -> RunConfig:
        """The newest configuration without a problem; what the model pane shows meanwhile."""
        return self._last

    def choices(self, name: str) -> tuple[str, ...]:
        """What may be chosen for `name` beside the other fields' present values."""
        from d2ltui.spec.fields import FIELDS

        if name == "dataset":
            return catalogue.datasets_for(self["model"])
        if name == "implementation":
            return MODELS[self["model"]].implementations
        if name == "optimizer" and self["implementation"] == "scratch":
            return from_scratch()
        return tuple(FIELDS[name].choices)

    def visible(self) -> tuple[str, ...]:
        """The fields to show, in order."""
        names = applicable_fields(self["model"])
        hidden = {name for name, other in catalogue.ONLY_WITH.items() if self[other] not in catalogue.values_with(name)}
        return tuple(name for name in names if name not in hidden)

    def set(self, name: str, text: str) -> None:
        """Give `name` another text, right or wrong."""
        if self._texts[name] == text:
            return
        self._texts[name] = text
        self._touched.add(name)
        if name == "model" and self["dataset"] not in catalogue.datasets_for(text):
            self._texts["dataset"] = MODELS[text].default_dataset
        if name == "model" and self["implementation"] not in self.choices("implementation"):
            self._texts["implementation"] = self.choices("implementation")[0]
        if name == "model" and "activation" not in self._touched:
            self._texts["activation"] = str(catalogue.defaults(text, self["dataset"])["activation"])
        if name in ("model", "implementation") and self["optimizer"] not in self.choices("optimizer"):
            self._texts["optimizer"] = self.choices("optimizer")[0]
        if name in _DECIDE or name in ("implementation", *catalogue.DATA_FIELDS):
            self._follow_defaults()

    def _defaults(self) -> dict[str, str]:
        chosen = {name: self[name] for name in _DECIDE}
        found = catalogue.defaults(**chosen)
        found["batch_size"] = min(int(str(found["batch_size"])), self._train_size() or MAX_SAMPLES)
        return {name: as_text(value) for name, value in found.items()}

    def _train_size(self) -> int | None:
        """Of the data set that is described, where its fields are right."""
        source = DATASET_SOURCES[self["dataset"]]
        try:
            return source.describe({name: parse(name, self[name]) for name in source.fields}).train_size
        except (ConfigError, DescriptionError):
            return None

    def _follow_defaults(self) -> None:
        # An optimiser or an activation has no default but the first: what was chosen once stays chosen.
        kept = self._touched.union(_DECIDE)
        self._texts |= {name: text for name, text in self._defaults().items() if name not in kept}

    def resolve(self) -> RunConfig:
        """The run that the form describes.

        Raises:
            ConfigError: with a sentence for every wrong field.
        """
        # What is not on the screen cannot be wrong.
        names = ("model", "dataset", "data_dir", *self.visible())
        given = {name: self._texts[name] for name in names}
        config = resolve(given)
        check_memory(config)
        check_threads(config)
        self._last = config
        return config

    def chosen(self) -> dict[str, object]:
        """The fields that make up the run, but for those that follow the defaults of the others.

        Where there is no problem, they alone describe the same run.
        """
        names = ("data_dir", *self.visible())
        given: dict[str, object] = {name: self._texts[name] for name in names if name in self._touched}
        return {"model": self["model"], "dataset": self["dataset"], **given}

    def problems(self) -> dict[str, str]:
        """The sentence for each wrong field."""
        try:
            self.resolve()
        except ConfigError as error:
            return {problem.field: problem.message for problem in error.problems}
        return {}

"""What the form calls its fields, and what it says of their choices, in the language of the process."""

from __future__ import annotations

from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.inits import INITS
from d2ltui.spec.language import _, pgettext
from d2ltui.spec.optimizers import OPTIMIZERS
from d2ltui.spec.synthetic import FUNCTIONS

MEANINGS: dict[str, dict[str, str]] = {
    "implementation": catalogue.IMPLEMENTATIONS,
    "dataset": {info.name: info.description for info in catalogue.DATASETS.values()},
    "function": {name: f"y = {formula}" for name, (formula, _) in FUNCTIONS.items()},
    "activation": {item.name: item.formula for item in ACTIVATIONS.values()},
    "init": {init.name: init.description for init in INITS.values()},
    "schedule": catalogue.SCHEDULES,
    "precision": catalogue.PRECISIONS,
    "optimizer": {spec.name: spec.title for spec in OPTIMIZERS.values()},
}


def label_of(name: str) -> str:
    """What a field is called in the form."""
    return pgettext("field", FIELDS[name].label)


def meanings_of(name: str) -> dict[str, str]:
    """What each choice of a field means."""
    return {choice: _(meaning) for choice, meaning in MEANINGS[name].items()}

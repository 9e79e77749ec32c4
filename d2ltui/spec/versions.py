"""Configurations that another version of the program has stored.

What is missing in one gets the value that it had before the field was there; what this version does not know is kept
as it is, and written back wherever the configuration is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig, applicable_fields
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.language import _
from d2ltui.spec.models import MODELS
from d2ltui.spec.text import printable

# By field that was added after the first version: what runs were trained with before. Not the field's default, which
# may change.
BEFORE: Mapping[str, object] = {
    "threads": "auto",
    "precision": "fp32",
    "momentum": 0.9,
    "schedule": "constant",
    "clip_norm": 0.0,
    "label_smoothing": 0.0,
    "noise": 0.0,
    "samples": 1000,
    "val_fraction": 0.2,
    "factor": 0.5,
    "turns": 1.0,
    "function": "sine",
}
# The same where it depended on the data set.
BEFORE_ON: Mapping[str, Mapping[str, object]] = {
    "synthetic-linear": {"noise": 0.01, "samples": 2000, "val_fraction": 0.5},
    "moons": {"noise": 0.15},
    "circles": {"noise": 0.08},
    "spirals": {"noise": 0.03, "samples": 1500},
}


class ForeignConfig(RunConfig, frozen=True):
    """A configuration with fields that this version does not know: `unknown` holds them, by name."""

    unknown: dict[str, Any] = {}


def read_config(stored: object, before: Mapping[str, object] = BEFORE) -> RunConfig:
    """The configuration that `stored`, plain values by field name, describes.

    Raises:
        msgspec.ValidationError: where that is no configuration, or a field has a value of another kind.
        KeyError: where it names no model, or no data set.
    """
    if not isinstance(stored, dict):  # a tensor has keys for msgspec
        raise msgspec.ValidationError(_("a configuration of type {kind}").format(kind=type(stored).__name__))
    values = msgspec.convert(stored, dict[str, Any])
    known = {name: value for name, value in values.items() if name in RunConfig.__struct_fields__}
    unknown = {name: value for name, value in values.items() if name not in known}
    model, dataset = str(known["model"]), str(known["dataset"])
    unset = catalogue.defaults(model, dataset) if model in MODELS else catalogue.BASE
    on_data = BEFORE_ON.get(dataset, {})
    return with_unknown(msgspec.convert({**unset, **before, **on_data, **known}, RunConfig), unknown)


def with_unknown(config: RunConfig, unknown: Mapping[str, Any]) -> RunConfig:
    """`config`, and beside it what another version has stored and this one does not know."""
    if not unknown:
        return config
    return ForeignConfig(**{**msgspec.structs.asdict(config), "unknown": dict(unknown)})


def plain_config(config: RunConfig) -> dict[str, Any]:
    """The opposite of `read_config`: plain values, those that this version does not know among them."""
    values: dict[str, Any] = msgspec.to_builtins(config)
    return {**values.pop("unknown", {}), **values}


def unknown_fields(config: RunConfig) -> dict[str, Any]:
    """What this version does not know of `config`, by name."""
    return config.unknown if isinstance(config, ForeignConfig) else {}


def unknown_choices(config: RunConfig) -> list[str]:
    """What another version has chosen for a field, and this one does not have, such as `activation 'gelu'`."""
    found = []
    for name in fields_of(config):
        value = getattr(config, name)
        if FIELDS[name].kind == "choice" and value not in FIELDS[name].choices:
            found.append(f"{name} '{printable(value)}'")
    return found


def fields_of(config: RunConfig) -> tuple[str, ...]:
    """The fields that decide something: those that the model has, and that the others leave a meaning."""
    if config.model not in MODELS:
        return ("model", "dataset")
    params = msgspec.structs.asdict(config)
    return ("model", "dataset", *(name for name in applicable_fields(config.model) if catalogue.has_use(name, params)))


def can_be_shown(config: RunConfig) -> bool:
    """Whether this version knows the model and the data set: without them, a run's figures mean nothing to it."""
    return config.model in MODELS and config.dataset in catalogue.DATASETS


def differing_fields(a: RunConfig, b: RunConfig) -> list[str]:
    """The fields in which two configurations describe different runs: those that the model has.

    Where its data lie may be another place by now; what fields the model does not have are set to is of no
    consequence, and may be another version's default.
    """
    differing = [name for name in fields_of(a) if getattr(a, name) != getattr(b, name)]
    ours, theirs = unknown_fields(a), unknown_fields(b)
    # What only one of the two files has been written with is no difference: an older version may not have known it.
    return differing + [name for name in ours if name in theirs and ours[name] != theirs[name]]

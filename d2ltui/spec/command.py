"""A run as a line for the shell."""

from __future__ import annotations

import shlex
from collections.abc import Collection

from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.versions import fields_of


def train_command(config: RunConfig, given: Collection[str] = ()) -> str:
    """What trains `config`: its model and its data set, all that is not as usual, and the fields that are `given`.

    What `config` has no use for is left out: the command would refuse it.
    """
    # The others' defaults are those beside the optimizer and the activation that were chosen.
    chosen = catalogue.defaults(config.model, config.dataset)
    usual = catalogue.defaults(config.model, config.dataset, config.optimizer, config.activation)
    usual |= {name: chosen[name] for name in ("optimizer", "activation")}
    wanted = [name for name in FIELDS if name in (*fields_of(config), "data_dir")]
    names = [name for name in wanted if name in ("model", "dataset", *given) or getattr(config, name) != usual[name]]
    values = (f"{FIELDS[name].option} {shlex.quote(_as_option(getattr(config, name)))}" for name in names)
    return "d2ltui train " + " ".join(values)


def _as_option(value: object) -> str:
    """A value as its option takes it, with all its digits."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)

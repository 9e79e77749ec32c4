"""The map of a lesson: its claim over a grid of two hyperparameters. Plain values: nothing here imports PyTorch."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from d2ltui.spec.axes import base_config, parse_axis
from d2ltui.spec.config import RunConfig
from d2ltui.spec.maps import MapSpec
from d2ltui.spec.numbers import setting


class LessonMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Networks that differ in two fields.

    `given` are the fields of the run that the axes vary; `x` and `y` are the axes as they are typed, such as
    `lr=1e-3:10:8`; `show` is the quantity that shows the claim, and `see` says in a sentence what there will be to see.
    """

    given: dict[str, Any]
    x: str
    y: str
    show: Literal["val_accuracy", "val_loss", "train_loss", "dead", "saturated", "gradient-ratio", "finding"]
    see: str

    @property
    def config(self) -> RunConfig:
        """The run that the axes vary."""
        return self.spec.config

    @property
    def spec(self) -> MapSpec:
        """What is to be trained.

        Raises:
            ConfigError: where there is no such map.
        """
        x, y = parse_axis("x", self.x), parse_axis("y", self.y)
        return MapSpec(base_config(self.given, x, y), x, y, 1, tuple(self.given))

    @property
    def command(self) -> str:
        """The same as a line for the shell."""
        fields = (f"--{name.replace('_', '-')} {setting(value)}" for name, value in self.given.items())
        return " ".join(("d2ltui map", f"--x {self.x} --y {self.y} --show {self.show}", *fields))

"""What experiments, runs and lines are called: their names are stored in English, and shown in the language spoken."""

from __future__ import annotations

import re

from d2ltui.spec.language import _


def role_in_words(role: str) -> str:
    """`role`, or the parts of it between commas, in the language that is spoken; what is a name in all stays."""
    known = _(role)
    if known != role or ", " not in role:
        return known if known != role else _counted(role)
    return _(", ").join(_counted(_(part)) for part in role.split(", "))


def _counted(part: str) -> str:
    """`1,437 samples` and its like."""
    found = re.fullmatch(r"([\d,]+) (samples|layers|hidden layers?)", part)
    if found is None:
        return part
    many = {
        "samples": _("{number} samples"),
        "layers": _("{number} layers"),
        "hidden layer": _("{number} hidden layer"),
        "hidden layers": _("{number} hidden layers"),
    }
    return many[found[2]].format(number=found[1])

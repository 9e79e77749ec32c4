"""One seed, several independent streams of random numbers.

Seeding every generator of a run with the same number would give the first weights, the first samples and the first
order of batches the same random numbers. numpy's SeedSequence is made to tell them apart.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Use = Literal["data", "weights", "order", "dropout"]
_USES: tuple[Use, ...] = ("data", "weights", "order", "dropout")


def derive_seed(seed: int, use: Use) -> int:
    """The seed, of 32 bits, of the generator that a run with `seed` uses for `use`."""
    child = np.random.SeedSequence(seed, spawn_key=(_USES.index(use),))
    return int(child.generate_state(1)[0])

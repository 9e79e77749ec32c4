"""The same run several times, each time with another seed."""

from __future__ import annotations

import msgspec

from d2ltui.spec.config import RunConfig
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.parsing import ConfigError, Problem

MAX_RUNS = 1000  # of one command


def with_seeds(config: RunConfig, seeds: int) -> list[RunConfig]:
    """The same run `seeds` times, with its seed and the ones that follow.

    Raises:
        ConfigError: where there are too many, or a seed would be too large.
    """
    allowed = f"a whole number from 1 to {MAX_RUNS}"
    if not 1 <= seeds <= MAX_RUNS:
        raise ConfigError([Problem("seeds", f"seeds: {seeds} is not allowed; allowed: {allowed}")])
    if config.seed + seeds - 1 > FIELDS["seed"].high:
        largest = int(FIELDS["seed"].high)
        raise ConfigError(
            [Problem("seed", f"seed: {config.seed} is not allowed; allowed: to {largest - seeds + 1} here")]
        )
    return [msgspec.structs.replace(config, seed=config.seed + i) for i in range(seeds)]

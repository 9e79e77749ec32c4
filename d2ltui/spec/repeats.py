"""The same run several times, each time with another seed."""

from __future__ import annotations

import msgspec

from d2ltui.spec.config import RunConfig
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.language import _
from d2ltui.spec.parsing import ConfigError, Problem

MAX_RUNS = 1000  # of one command


def with_seeds(config: RunConfig, seeds: int) -> list[RunConfig]:
    """The same run `seeds` times, with its seed and the ones that follow.

    Raises:
        ConfigError: where there are too many, or a seed would be too large.
    """
    allowed = _("a whole number from 1 to {max_runs}").format(max_runs=MAX_RUNS)
    if not 1 <= seeds <= MAX_RUNS:
        raise ConfigError(
            [
                Problem(
                    "seeds", _("seeds: {seeds} is not allowed; allowed: {allowed}").format(seeds=seeds, allowed=allowed)
                )
            ]
        )
    if config.seed + seeds - 1 > FIELDS["seed"].high:
        largest = int(FIELDS["seed"].high)
        raise ConfigError(
            [
                Problem(
                    "seed",
                    _("seed: {seed} is not allowed; allowed: to {largest} here").format(
                        seed=config.seed, largest=largest - seeds + 1
                    ),
                )
            ]
        )
    return [msgspec.structs.replace(config, seed=config.seed + i) for i in range(seeds)]

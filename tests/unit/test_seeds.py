"""One seed, several streams."""

from __future__ import annotations

from typing import get_args

import torch

from d2ltui.nn.seeds import Use, derive_seed

USES: tuple[Use, ...] = get_args(Use)


def test_every_use_of_every_seed_has_random_numbers_of_its_own() -> None:
    seeds = {derive_seed(seed, use) for seed in range(200) for use in USES}
    assert len(seeds) == 200 * len(USES)


def test_the_same_seed_is_the_same_stream() -> None:
    assert all(derive_seed(7, use) == derive_seed(7, use) for use in USES)


def test_the_streams_of_a_run_are_not_correlated() -> None:
    rows = torch.stack(
        [torch.randn(20_000, generator=torch.Generator().manual_seed(derive_seed(0, use))) for use in USES]
    )
    correlation = torch.corrcoef(rows) - torch.eye(len(USES))
    assert correlation.abs().max() < 0.05

"""What is known of a run whose database is damaged or gone: enough to go on from its checkpoint."""

from __future__ import annotations

import contextlib
from pathlib import Path

from d2ltui.config import ConfigError, RunConfig, read_toml, resolve
from d2ltui.store import home
from d2ltui.store.errors import Damaged, StoreError
from d2ltui.store.listing import DAMAGED, info
from d2ltui.store.schema import open_run


def config_of(path: Path) -> RunConfig:
    """The configuration of the run in directory `path`: its database's, or else what config.toml says.

    Raises:
        StoreError: where neither can be read.
    """
    run = info(path)
    if run.config is not None:
        return run.config
    if run.status != DAMAGED:  # another process holds it
        raise StoreError(run.problem)
    with contextlib.suppress(Damaged):  # a newer database, say, is not damaged: only then does the file beside it count
        open_run(path).close()
    try:
        return resolve(read_toml(path / home.CONFIG))
    except ConfigError as error:
        raise Damaged(f"{run.problem}, and of its {home.CONFIG}: {error.problems[0].message}") from None


def has_checkpoint(path: Path) -> bool:
    """Whether there is one to try."""
    return any((path / name).is_file() for name in (home.CHECKPOINT, home.PREVIOUS))

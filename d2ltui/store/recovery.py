"""What is known of a run whose database is damaged or gone: enough to go on from its checkpoint.

And the other way round: what the database gives back to the configuration's file beside it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from d2ltui.spec.config import RunConfig, resolve
from d2ltui.spec.config_file import read_toml, to_toml
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.header import RunHeader
from d2ltui.spec.language import _
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.text import quoted
from d2ltui.spec.versions import differing_fields, with_unknown
from d2ltui.store import home
from d2ltui.store.errors import Damaged, StoreError, reason
from d2ltui.store.listing import DAMAGED, info
from d2ltui.store.schema import open_run


def trained_elsewhere(path: Path, header: RunHeader) -> str:
    """That there are no weights and no configuration of the run in directory `path`, and why."""
    return _("{name} is trained by {source}, which keeps its network to itself").format(
        name=path.name, source=quoted(header.source)
    )


def config_of(path: Path) -> RunConfig:
    """The configuration of the run in directory `path`: its database's, or else what config.toml says.

    Raises:
        StoreError: where neither can be read.
    """
    run = info(path)
    if run.config is not None:
        return run.config
    if run.header is not None:
        raise StoreError(
            _("run: {why}; allowed: a run of d2ltui's own").format(why=trained_elsewhere(path, run.header))
        )
    if run.status != DAMAGED:  # another process holds it
        raise StoreError(run.problem)
    with contextlib.suppress(Damaged):  # a newer database, say, is not damaged: only then does the file beside it count
        open_run(path).close()
    try:
        return _read_config(path / home.CONFIG)
    except ConfigError as error:
        raise Damaged(
            _("{problem}, and of its {config}: {message}").format(
                problem=run.problem, config=home.CONFIG, message=error.problems[0].message
            )
        ) from None


def _read_config(file: Path) -> RunConfig:
    """What config.toml says, and be it another version's.

    Raises:
        ConfigError: where it cannot be read, or a field has a value that is not allowed.
    """
    values = read_toml(file, foreign=True)
    config = resolve({name: value for name, value in values.items() if name in FIELDS}, unused=True)
    return with_unknown(config, {name: value for name, value in values.items() if name not in FIELDS})


def has_checkpoint(path: Path) -> bool:
    """Whether there is one to try."""
    return any((path / name).is_file() for name in (home.CHECKPOINT, home.PREVIOUS))


def repair_config(path: Path, config: RunConfig) -> str:
    """Write config.toml again where it does not say what `config`, the run's own, is; what was done, or "".

    It is what the run is known by once its database is lost: it must be right before that, not only then. Where the
    data lie may be another place by now.
    """
    file, text = path / home.CONFIG, to_toml(config)
    try:
        if not differing_fields(_read_config(file), config):
            return ""
        wrong = _("config: {file} is not what the run was trained with").format(file=file)
    except ConfigError as error:
        wrong = error.problems[0].message
    try:
        for left in path.glob(f".{home.CONFIG}-*"):  # by a process that was killed here
            left.unlink(missing_ok=True)
        home.write_atomically(file, lambda out: out.write(text.encode()))
    except OSError as failure:
        return _("{wrong}; it cannot be written again ({failure})").format(wrong=wrong, failure=reason(failure))
    return _("{wrong}; it is written again from {database}").format(wrong=wrong, database=home.DATABASE)

"""What is stored, by the names that are typed: a run, a map, a group; and what is said of wrong ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from d2ltui.cli.options import refused
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.versions import unknown_choices
from d2ltui.store.errors import NotAllowed, StoreError


@contextlib.contextmanager
def click_errors() -> Iterator[None]:
    """Turns what the store says into one sentence and an exit status: 2 for wrong arguments, 1 for the rest."""
    try:
        yield
    except NotAllowed as error:
        raise click.UsageError(str(error)) from None
    except ConfigError as error:
        raise refused(error) from None
    except StoreError as error:
        raise click.ClickException(str(error)) from None


def map_of(reference: str) -> Path | None:
    """The directory of the map that is called so; None where `reference` is no map's name."""
    from d2ltui.store import maps

    return maps.maps_dir() / reference if reference in maps.names() else None


def find_run(reference: str, *, ends: bool = False) -> tuple[Path, RunConfig | None]:
    """The directory and the configuration of the run or map that `reference` means; None where it cannot be read.

    Raises:
        click.UsageError: where there is none; where it is a map, which `ends` no application.
    """
    from d2ltui.store.home import path_of_group
    from d2ltui.store.listing import info
    from d2ltui.store.named import find

    with click_errors():
        if (a_map := map_of(reference)) is not None:
            if ends:
                raise NotAllowed(
                    _("exit-when-done: it is not allowed with a map; allowed: --speak, which ends with it")
                )
            return a_map, None
        if is_group(reference):
            if ends:
                raise NotAllowed(
                    _("exit-when-done: it is not allowed with a group; allowed: --speak, which ends with it")
                )
            return path_of_group(reference), None
        path = find(reference)
        config = info(path).config
        # The form has no choices of another version, nor of a plug-in that is not here.
        return path, None if config is not None and unknown_choices(config) else config


def is_group(reference: str) -> bool:
    """Whether `reference` is the name of a group of runs, and of no run."""
    from d2ltui.store import home, listing

    return reference not in home.names() and any(run.group == reference for run in listing.runs())


def speak_of(path: Path) -> int:
    """`watch --speak`: the exit status."""
    from d2ltui.store.home import name_of_group

    if (group := name_of_group(path)) is not None:
        from d2ltui.cli.group_stored import follow as follow_group

        with click_errors():
            return follow_group(group)
    from d2ltui.cli.map_stored import follow as follow_map
    from d2ltui.cli.speaking import follow

    with click_errors():
        return follow_map(path) if map_of(path.name) == path else follow(path)

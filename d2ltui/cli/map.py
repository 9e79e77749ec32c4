"""The command that makes a map. Heavy imports stand inside it."""

from __future__ import annotations

from typing import Any

import click

from d2ltui.cli.jobs import jobs_of, jobs_options
from d2ltui.cli.options import Command, hangup_option, positive_int, refused, run_options
from d2ltui.spec.axes import Axis, base_config, parse_axis
from d2ltui.spec.config_file import read_toml
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.language import _
from d2ltui.spec.maps import QUANTITIES
from d2ltui.spec.parsing import ConfigError, Problem, wrong
from d2ltui.spec.repeats import MAX_RUNS


@click.command("map", cls=Command)
@click.option("--x", "x_text", metavar="FIELD=LOW:HIGH:N", help="The field from left to right, and its values.")
@click.option("--y", "y_text", metavar="FIELD=LOW:HIGH:N", help="The field from bottom to top.")
@click.option("--seeds", metavar="K", callback=positive_int("seeds", MAX_RUNS), help="Train each cell with K seeds.")
@click.option("--show", metavar="|".join(QUANTITIES), help="What the map shows.")
@run_options
@click.option("--resume", metavar="MAP", help="Continue a stored map, or show it again: its name, or latest.")
@click.option("--take", metavar="X,Y|best", help="Of a stored map: train one cell as a run of its own.")
@click.option("--yes", is_flag=True, help="Do not ask, however long it takes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line of standard output.")
@click.option("--quiet", is_flag=True, help="No progress and no picture.")
@click.option("--no-store", is_flag=True, help="Keep nothing on disk.")
@jobs_options
@hangup_option
@click.pass_context
def map_(
    ctx: click.Context,
    /,
    x_text: str | None,
    y_text: str | None,
    seeds: int | None,
    show: str | None,
    resume: str | None,
    take: str | None,
    yes: bool,
    as_json: bool,
    quiet: bool,
    no_store: bool,
    jobs: int | None,
    backend: str | None,
    scheduler: str | None,
    on_hangup: Any,
    **options: Any,
) -> None:
    """Train a grid of networks at once, drawn as a map.

    --x lr=1e-4:10:32 --y init_std=1e-3:3:32 are 1,024 networks, which are trained together. An axis is a range, or
    values: --y optimizer=sgd,adam. depth and width vary the hidden layers.
    """
    from d2ltui.cli.references import click_errors

    given = {name: value for name, value in {**ctx.obj, **options}.items() if value is not None}
    if show is not None and show not in QUANTITIES:
        raise click.UsageError(wrong("show", show, ", ".join(QUANTITIES)).message)
    how = {"show": show, "yes": yes, "as_json": as_json, "quiet": quiet, "on_hangup": on_hangup}
    how["jobs"] = jobs_of(jobs, backend, scheduler)
    if resume is not None:
        others = {**given, "x": x_text, "y": y_text, "seeds": seeds, "no-store": no_store or None}
        if typed := [name for name, value in others.items() if value is not None]:
            shown = " ".join("--" + name.removesuffix("_file").replace("_", "-") for name in typed)
            allowed = "--show, --json, --quiet, --yes, --jobs, --backend, --scheduler, --on-hangup"
            raise click.UsageError(
                _("resume: {shown} is not allowed with it; allowed: {allowed}").format(shown=shown, allowed=allowed)
            )
        with click_errors():
            if take is not None:
                from d2ltui.cli.map_take import train_cell

                if beside := [f"--{name}" for name in ("jobs", "backend", "scheduler") if ctx.params[name] is not None]:
                    raise click.UsageError(
                        _("take: {beside} is not allowed with it; allowed: --show, --json, --quiet").format(
                            beside=beside[0]
                        )
                    )
                ctx.exit(train_cell(resume, take, show, as_json=as_json, quiet=quiet, on_hangup=on_hangup))
            from d2ltui.cli.mapping import resume_map

            ctx.exit(resume_map(resume, **how))
    if take is not None:
        raise click.UsageError(_("take: it is not allowed with a new map; allowed: with --resume MAP"))
    for name, said in (("x", x_text), ("y", y_text)):
        if said is None:
            example = "lr=1e-4:10:16" if name == "x" else "init_std=1e-3:3:16"
            raise click.UsageError(
                _("{name}: it is missing; allowed: FIELD=LOW:HIGH:N, such as --{name} {example}").format(
                    name=name, example=example
                )
            )
    x, y, chosen = _axes(str(x_text), str(y_text), given)
    with click_errors():
        from d2ltui.cli.mapping import new_map

        try:
            config = base_config(chosen, x, y)
            ctx.exit(new_map(config, x, y, seeds or 1, tuple(chosen), store=not no_store, **how))
        except ConfigError as error:
            raise refused(error, given) from None


def _axes(x_text: str, y_text: str, given: dict[str, Any]) -> tuple[Axis, Axis, dict[str, object]]:
    """Both axes, and the fields that are given on the command line or in a file."""
    path = given.pop("config_file", None)
    try:
        x, y = parse_axis("x", x_text), parse_axis("y", y_text)
        chosen = {**(read_toml(path) if path is not None else {}), **given}
        for axis in (x, y):
            if axis.field in given:
                option = FIELDS[axis.field].option
                said = _("{field}: {option} is not allowed beside an axis of it; allowed: one of them").format(
                    field=axis.field, option=option
                )
                raise ConfigError([Problem("", said)])
            chosen.pop(axis.field, None)
    except ConfigError as error:
        raise refused(error) from None
    return x, y, chosen

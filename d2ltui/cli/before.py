"""The commands that look at a run before its first step. Heavy imports stand inside the commands."""

from __future__ import annotations

from typing import Any

import click

from d2ltui.cli.options import Command, configure, run_options
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _

# Run options that change nothing about a range test. In a file they describe a run, and are left alone.
WITHOUT_EFFECT = {
    "epochs": _("find-lr takes as many steps as it needs"),
    "schedule": _("find-lr has rates of its own, one for each step"),
}


def _configured(ctx: click.Context, options: dict[str, Any]) -> RunConfig:
    return configure({**ctx.obj, **{name: value for name, value in options.items() if value is not None}})


@click.command(cls=Command)
@run_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line of standard output.")
@click.pass_context
def check(ctx: click.Context, /, as_json: bool, **options: Any) -> None:
    """Say what would go wrong, before the first step.

    Looks at the data, at each layer as it starts, and whether 16 samples can be learned by heart; stores nothing. The
    exit status is 0 without an alarm, 3 with one.
    """
    config = _configured(ctx, options)
    from d2ltui.cli.preflight import tell_check

    ctx.exit(tell_check(config, as_json))


@click.command("find-lr", cls=Command)
@run_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line of standard output.")
@click.pass_context
def find_lr(ctx: click.Context, /, as_json: bool, **options: Any) -> None:
    """Suggest a learning rate.

    Trains a copy of the network for some 150 steps while the rate grows from 1e-7 to 10, draws the loss over the rate,
    and stores nothing. The exit status is 0 with a suggestion, 1 where the loss falls at no rate.
    """
    for name in WITHOUT_EFFECT:
        if options[name] is not None or ctx.obj.get(name) is not None:
            raise click.UsageError(
                _("{name}: --{name} has no effect here: {without_effect}; allowed: without it").format(
                    name=name, without_effect=WITHOUT_EFFECT[name]
                )
            )
    config = _configured(ctx, options)
    from d2ltui.cli.preflight import tell_rate

    ctx.exit(tell_rate(config, as_json))

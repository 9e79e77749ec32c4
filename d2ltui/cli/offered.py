"""`models` and `datasets`: what there is to train, and on what."""

from __future__ import annotations

import click

from d2ltui.cli.options import Command
from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.datasets import DatasetInfo
from d2ltui.spec.inits import INITS
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.models import MODELS
from d2ltui.spec.optimizers import OPTIMIZERS
from d2ltui.spec.text import sections


@click.command(cls=Command)
def models() -> None:
    """The models, and their defaults on each data set."""
    for model in MODELS.values():
        click.echo(f"{model.name}: {_(model.title)} ({sections(model.section)})")
        click.echo(f"    {_(model.description)}")
        click.echo("    " + _("fields: {names}").format(names=", ".join(model.fields)))
        for dataset in catalogue.datasets_for(model.name):
            values = catalogue.defaults(model.name, dataset)
            # What is the same everywhere, and what goes with one choice only, would hide the rest.
            names = [name for name in model.fields if name not in (*catalogue.ONLY_WITH, "seed", "device")]
            shown = ", ".join(f"{name} {_show(values[name])}" for name in names)
            click.echo("    " + _("on {dataset}: {values}").format(dataset=dataset, values=shown))
            others = [name for name in OPTIMIZERS if name != values["optimizer"]]
            rates = [f"{name} {_show(catalogue.defaults(model.name, dataset, name)['lr'])}" for name in others]
            click.echo("        " + _("lr with {rates}").format(rates=", ".join(rates)))
        click.echo()
    implementations = "; ".join(f"{name}: {_(text)}" for name, text in catalogue.IMPLEMENTATIONS.items())
    click.echo(_("implementations: {names}").format(names=implementations))
    for title, table in (
        (_("activations:"), {item.name: item.formula for item in ACTIVATIONS.values()}),
        (_("initialisations:"), {item.name: item.description for item in INITS.values()}),
        (_("schedules:"), catalogue.SCHEDULES),
        (_("optimisers:"), {spec.name: spec.title for spec in OPTIMIZERS.values()}),
    ):
        click.echo(title)
        for name, text in table.items():
            click.echo(f"    {name:<10} {_(text)}")


@click.command(cls=Command)
def datasets() -> None:
    """The data sets, their parts, and how they are normalised."""
    for data in catalogue.DATASETS.values():
        click.echo(f"{data.name}: {_(data.description)}")
        click.echo(f"    {_extent(data)}")
        if data.classes:
            click.echo("    " + _("classes: {names}").format(names=", ".join(data.named)))
        if fields := catalogue.DATASET_SOURCES[data.name].fields:
            shown = ", ".join(f"{name} {_show(value)}" for name, value in fields.items())
            click.echo("    " + _("fields: {names}").format(names=shown))
        said = _("from {origin}, embedded: no download") if data.embedded else _("from {origin}, downloaded once")
        click.echo("    " + said.format(origin=data.origin))


def _extent(data: DatasetInfo) -> str:
    """The task, what goes in and comes out, and how many samples there are."""
    inputs = ngettext("{number} input", "{number} inputs", data.num_inputs)
    outputs = _("{number} classes") if data.task == "classification" else _("a number")
    said = _(
        "{task}, {inputs} → {outputs}; {train:,} train + {val:,} validation samples; normalisation: {normalisation}"
    )
    return said.format(
        task=_(data.task),
        inputs=inputs.format(number="×".join(map(str, data.input_shape))),
        outputs=outputs.format(number=data.num_outputs),
        train=data.train_size,
        val=data.val_size,
        normalisation=_(data.normalisation),
    )


def _show(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)

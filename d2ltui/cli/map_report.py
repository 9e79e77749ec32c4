"""What a map shows, as text: the picture, what was found in its cells, the best one, and how to train that alone."""

from __future__ import annotations

from d2ltui.charts import of_map
from d2ltui.charts.spec import Drawing, Style
from d2ltui.cli import text
from d2ltui.spec.command import train_command
from d2ltui.spec.config import RunConfig
from d2ltui.spec.findings import rule_in_words
from d2ltui.spec.language import _
from d2ltui.spec.maps import Cell, Known, MapSpec, best, called, quantities_of
from d2ltui.spec.numbers import optional, setting
from d2ltui.spec.text import counted
from d2ltui.store.errors import NotAllowed


def quantity_of(config: RunConfig, show: str | None) -> str:
    """What is shown.

    Raises:
        NotAllowed: where the runs have no such figure.
    """
    own, other = ("val_r2", "val_accuracy") if config.task == "regression" else ("val_accuracy", "val_r2")
    if show == other:
        raise NotAllowed(
            _("show: '{show}' is not allowed with model {model}; allowed: {own}").format(
                show=show, model=config.model, own=", ".join(quantities_of(config.task))
            )
        )
    return show or ("val_loss" if config.task == "regression" else own)


def picture(spec: MapSpec, known: Known, quantity: str) -> Drawing:
    """The cells that are known, with their axes, and what the shades stand for."""
    ascii = text.is_ascii()
    lines: Drawing = [[(Style.TEXT, f"{called(quantity)}, {of_map.title(spec)}")]]
    lines += of_map.draw_cells(spec, known, quantity, ascii=ascii)
    return [*lines, of_map.key_of(known, quantity, ascii=ascii)]


def tell_findings(known: Known) -> None:
    """In how many cells each finding is."""
    if sick := known.findings.most_common():
        found = (_("{rule} in {cells}").format(rule=rule_in_words(rule), cells=counted(n, "cell")) for rule, n in sick)
        text.say(_("findings: {found}").format(found=_(", ").join(found)))


def tell_best(spec: MapSpec, known: Known, quantity: str) -> None:
    """The best cell, and the command that trains it alone."""
    if (said := best_in_words(spec, known, quantity)) is not None:
        cell, sentence = said
        text.say(f"{sentence}: {command(spec, cell)}")


def best_in_words(spec: MapSpec, known: Known, quantity: str) -> tuple[Cell, str] | None:
    """The best cell, and `best val_loss: 0.1 with lr 0.5, momentum 0.9`; None where there is none."""
    if (found := best(known.cells, quantity)) is None:
        return None
    cell, number = found
    return cell, _("best {quantity}: {number} with {place}").format(
        quantity=called(quantity), number=optional(number), place=place(spec, cell)
    )


def place(spec: MapSpec, cell: Cell) -> str:
    """Where a cell is: `lr 0.5, momentum 0.9`."""
    column, row = cell
    return f"{spec.x.field} {setting(spec.x.values[column])}, {spec.y.field} {setting(spec.y.values[row])}"


def command(spec: MapSpec, cell: Cell) -> str:
    """What trains a cell's network alone."""
    return train_command(spec.run_of(cell), spec.given)

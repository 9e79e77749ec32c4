"""Pictures in the shell: of an activation function, and of a stored run's network. Heavy imports stand inside."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from d2ltui.cli.misuse import NamedArgument
from d2ltui.cli.options import Command
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number
from d2ltui.spec.similar import did_you_mean
from d2ltui.spec.text import quoted

HEIGHT = 22  # lines of a curve in a terminal
TALL = 31  # of a run's picture: two rows of images of 28×28, and what is said of them
SVG_WIDTH, SVG_HEIGHT = 120, 46  # cells


@click.command("show-activation", cls=Command)
@click.argument("name", metavar="NAME", cls=NamedArgument, values=lambda: ", ".join(ACTIVATIONS))
@click.option("--svg", "drawn", is_flag=True, help="As a picture (SVG), to standard output, or where --output says.")
@click.option("--output", "-o", metavar="PATH", help="Where to write it; a file that is there is not overwritten.")
def show_activation(name: str, drawn: bool, output: str | None) -> None:
    """Draw an activation function and its slope.

    NAME is one of those that --activation takes.
    """
    if name not in ACTIVATIONS:
        hint = did_you_mean(name, ACTIVATIONS)
        allowed = ", ".join(ACTIVATIONS)
        raise click.UsageError(
            _("activation: {name} is not allowed{hint}; allowed: {allowed}").format(
                name=quoted(name), hint=hint, allowed=allowed
            )
        )
    if output is not None and not drawn:
        raise click.UsageError(_("output: it is not allowed here; allowed: beside --svg"))
    from d2ltui.charts.canvas import Look
    from d2ltui.charts.picture import draw_picture
    from d2ltui.cli import text
    from d2ltui.cli.lesson_sheet import free, write_new
    from d2ltui.cli.references import click_errors
    from d2ltui.pictures.activation import of_function
    from d2ltui.store.defects import in_words

    with click_errors():
        target = free("output", output) if output is not None else None
    activation = ACTIVATIONS[name]
    try:
        curve = of_function(activation)
    except Exception as error:  # of another package: whatever it raises
        raise click.ClickException(
            _("activation: {name} cannot be drawn ({in_words})").format(name=name, in_words=in_words(error))
        ) from None
    title = f"{activation.title}: {activation.formula}"
    if drawn:
        from d2ltui.store.export_picture import svg

        look = Look()
        lines = draw_picture(curve, SVG_WIDTH, SVG_HEIGHT, look)
        written = svg(title, lines, SVG_WIDTH, look.background, look.foreground)
        if target is not None:
            with click_errors():
                write_new(target, written)
        else:
            sys.stdout.buffer.write(written.encode())  # whatever the terminal's characters are
            sys.stdout.buffer.flush()
        return
    text.say(title)
    text.lines(draw_picture(curve, text.width(), HEIGHT, Look(ascii=text.is_ascii())))
    if activation.flat_ends is not None:
        low, high = activation.flat_ends
        text.say(
            _("saturated where the output is below {low} or above {high}").format(low=number(low), high=number(high))
        )
    if activation.vanishing:
        text.say(activation.vanishing)


def as_svg(path: Path, kind: str) -> str:
    """The picture `kind` of the run in directory `path`, as SVG.

    Raises:
        StoreError: where there is none.
    """
    from d2ltui.charts.canvas import Look
    from d2ltui.charts.picture import draw_picture, lines_of
    from d2ltui.runner.stored_pictures import picture_of
    from d2ltui.store.export_picture import svg

    look = Look()
    title, picture = picture_of(path, kind, SVG_WIDTH, SVG_HEIGHT)
    lines = draw_picture(picture, SVG_WIDTH, lines_of(picture, SVG_HEIGHT), look)
    return svg(title, lines, SVG_WIDTH, look.background, look.foreground)


def as_text(path: Path, kind: str, plain: bool) -> str:
    """The same as lines of text, in colours where standard output is a terminal that has them, unless `plain`.

    Raises:
        StoreError: where there is none.
    """
    from d2ltui.charts.canvas import Look
    from d2ltui.charts.picture import draw_picture, lines_of
    from d2ltui.cli import text
    from d2ltui.runner.stored_pictures import picture_of

    plain = plain or not sys.stdout.isatty()
    title, picture = picture_of(path, kind, text.width(), TALL)
    look = Look(colours=not plain and text.has_colours(), ascii=text.is_ascii())
    lines = draw_picture(picture, text.width(), lines_of(picture, TALL), look)
    shown = text.as_text(lines)
    return "\n".join((title, *(map(click.unstyle, shown) if plain else shown), ""))

"""A lesson on a sheet to hand out: one HTML file that needs no other, or its figure alone as SVG."""

from __future__ import annotations

import os
import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from d2ltui.charts.canvas import Look
from d2ltui.charts.picture import draw_picture
from d2ltui.lessons.lesson import Lesson, fields_in_words, paragraphs
from d2ltui.lessons.measured import Verdict
from d2ltui.lessons.roles import role_in_words
from d2ltui.spec.language import _, language
from d2ltui.spec.text import sections
from d2ltui.store.errors import NotAllowed, unwritten
from d2ltui.store.export_picture import svg

if TYPE_CHECKING:
    from d2ltui.lessons.bench import Bench
    from d2ltui.lessons.measured import Figure
    from d2ltui.spec.diagrams import Diagram

WIDTH, HEIGHT = 110, 34  # cells of the figure
PAPER = Look(background=(255, 255, 255), foreground=(32, 32, 32))
STYLE = """
body { font: 16px/1.5 Georgia, serif; max-width: 46em; margin: 2em auto; padding: 0 1em; color: #202020; }
h1, h2 { font-family: sans-serif; line-height: 1.2; } h1 small { color: #666; font-weight: normal; }
.claim { font-size: 1.15em; font-style: italic; } .verdict { font-weight: bold; } .holds { color: #1a7f37; }
.fails { color: #b42318; } figure { margin: 1.5em 0; } figure svg { width: 100%; height: auto; }
figcaption { color: #555; font-size: .9em; } pre { background: #f4f4f4; padding: .8em 1em; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .95em; } td, th { text-align: left; padding: .25em .8em; }
tr { border-bottom: 1px solid #ddd; } code { background: #f4f4f4; padding: .1em .3em; }
li { margin-bottom: .8em; }
@media print { body { margin: 0; } h2 { break-after: avoid; } figure, tr { break-inside: avoid; } }
"""


def drawing(lesson: Lesson, picture: Diagram | None) -> str:
    """The figure as an SVG document, which is blank for a lesson that has drawn none."""
    lines = draw_picture(picture, WIDTH, HEIGHT, PAPER) if picture is not None else []
    title = _("{title} ({place})").format(title=lesson.title, place=sections(lesson.section))
    return svg(title, lines, WIDTH, PAPER.background, PAPER.foreground)


def page(lesson: Lesson, verdict: Verdict, picture: Diagram | None, drawn: str) -> str:
    """The whole lesson as one HTML document; `drawn` says of which runs the figure is."""
    mark, kind = ("✓", "holds") if verdict.holds else ("✗", "fails")
    caption = " ".join(filter(None, (_("To be seen: {see}.").format(see=lesson.see) if lesson.see else "", drawn)))
    parts = [
        f"<h1>{escape(lesson.title)} <small>{escape(sections(lesson.section))}</small></h1>",
        f'<p class="claim">{escape(lesson.claim)}</p>',
        f'<p class="verdict"><span class="{kind}">{mark}</span> {escape(verdict.sentence)}</p>',
    ]
    if picture is not None:
        parts.append(f"<figure>{drawing(lesson, picture)}<figcaption>{escape(caption)}</figcaption></figure>")
    parts += _text(lesson)
    if verdict.figures:
        parts += [f"<h2>{escape(_('What was measured'))}</h2><p>{escape(verdict.how)}</p>", _table(verdict)]
    if verdict.comment and verdict.said:
        parts.append(f"<p>{escape(verdict.comment)}</p>")
    parts += _experiments(lesson)
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="{language()}"><head><meta charset="utf-8"><title>{escape(lesson.title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )


def _text(lesson: Lesson) -> list[str]:
    parts = []
    for paragraph in paragraphs(lesson.text):
        tag = "pre" if paragraph.is_code else "p"
        parts.append(f"<{tag}>{escape(paragraph.text)}</{tag}>")
    if lesson.formula:
        parts.append(f"<pre>{escape(lesson.formula)}</pre>")
    if lesson.example:
        parts.append(f"<h2>{escape(_('In numbers'))}</h2><pre>{escape(lesson.example)}</pre>")
    return parts


def _table(verdict: Verdict) -> str:
    main = verdict.main_figures
    ordered = [*main, *(figure for figure in verdict.figures if figure not in main)]
    rows = "".join(_row(figure, figure in main) for figure in ordered)
    heads = "".join(f"<th>{escape(head)}</th>" for head in (_("figure"), _("measured"), _("claimed")))
    return f"<table><tr><th></th>{heads}</tr>{rows}</table>"


def _row(figure: Figure, matters: bool) -> str:
    mark = "✓" if figure.claimed and figure.holds else "" if figure.holds else "✗"
    what = figure.plain if matters and figure.plain else figure.what
    cells = (mark, what, figure.told, figure.claimed)
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _experiments(lesson: Lesson) -> list[str]:
    parts = []
    if lesson.experiments:
        told = (
            (role_in_words(e.role), _(": {fields}").format(fields=fields_in_words(e.given))) for e in lesson.experiments
        )
        items = (f"<li><b>{escape(role)}</b>{escape(fields)}</li>" for role, fields in told)
        parts.append(f"<h2>{escape(_('The experiments'))}</h2><ul>{''.join(items)}</ul>")
    if lesson.trials:
        items = (
            f"<li><b>{escape(trial.do)}</b><br><code>{escape(lesson.command_to_try(trial))}</code><br>"
            f"{escape(_('What to expect: {expect}').format(expect=trial.expect))}</li>"
            for trial in lesson.trials
        )
        parts.append(f"<h2>{escape(_('Try yourself'))}</h2><ol>{''.join(items)}</ol>")
    return parts


class SheetWriter:
    """Writes the sheet of the lesson that was measured."""

    def __init__(self, html: Path | None, svg: Path | None) -> None:
        """Write the page to `html`, and the figure to `svg`; None: not at all."""
        self._html, self._svg = html, svg

    def __call__(self, lesson: Lesson, verdict: Verdict, bench: Bench) -> None:
        """Write what was asked for.

        Raises:
            StoreError: where a file cannot be written.
        """
        if self._html is not None:
            write_new(self._html, page(lesson, verdict, bench.picture, bench.drawn_in_words))
        if self._svg is not None:
            write_new(self._svg, drawing(lesson, bench.picture))


def write_new(path: Path, text: str) -> None:
    """Write `text` where there is nothing yet, and say so.

    Raises:
        StoreError: where it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise unwritten(path, error) from None
    print(_("written to {path}").format(path=path), file=sys.stderr)


def free(option: str, path: str) -> Path:
    """The path, where there is nothing yet.

    Raises:
        NotAllowed: where there is something, which is not overwritten, or no directory for it.
    """
    if not path or os.path.lexists(path):
        why = _(" (it is there already, and nothing is overwritten)") if path else ""
        raise NotAllowed(
            _("{option}: '{path}' is not allowed{why}; allowed: a path where there is nothing yet").format(
                option=option, path=path, why=why
            )
        )
    if not Path(path).parent.is_dir():
        raise NotAllowed(
            _("{option}: '{path}' is not allowed (its directory is not there); allowed: a file in one that is").format(
                option=option, path=path
            )
        )
    return Path(path)

"""The model and the training step of a run, as they are shown beside it: either implementation, with its numbers."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

from d2ltui.code.concise import concise, loss_lines, optimizer_lines, step_lines
from d2ltui.code.lines import Line
from d2ltui.code.scratch import Implementation, scratch
from d2ltui.spec.config import RunConfig
from d2ltui.spec.models import MODELS
from d2ltui.spec.versions import unknown_choices

TITLES = {"scratch": "From scratch", "concise": "Concise"}


def listing(config: RunConfig, implementation: str) -> list[Line]:
    """The lines of one implementation: hyperparameters, network, loss, optimiser, step.

    Of a model of another package, the function that builds it, as its file has it, stands in the network's place.
    """
    if unknown := unknown_choices(config):
        return [Line(f"# This d2ltui does not know {', '.join(unknown)}.")]
    head = [Line(f"num_epochs, batch_size, lr = {config.epochs}, {config.batch_size}, {config.lr!r}")]
    if not MODELS[config.model].build:
        parts = scratch(config) if implementation == "scratch" else concise(config)
        return _joined([head, *_groups(parts, implementation)])
    model = MODELS[config.model]
    reference = model.scratch if implementation == "scratch" else model.build
    if not reference:
        return [Line(f"# {model.name} has no implementation from scratch.")]
    net = [
        *_source_of(reference),
        Line(""),
        Line("net = " + reference.partition(":")[2] + "(config, data)", "forward", "output"),
    ]
    if implementation == "scratch":
        return _joined([head, net])
    return _joined([head, net, optimizer_lines(config)[1], loss_lines(config), step_lines(config)])


def _groups(parts: Implementation, implementation: str) -> list[list[Line]]:
    if implementation == "scratch":
        return [parts.parameters, parts.functions, parts.net, parts.loss, parts.optimizer, parts.step]
    return [parts.net, parts.loss, parts.optimizer, parts.step]


def _joined(groups: list[list[Line]]) -> list[Line]:
    lines: list[Line] = []
    for group in groups:
        if group:
            lines += [*([Line("")] if lines else []), *group]
    return _single_gaps(lines)


def _single_gaps(lines: list[Line]) -> list[Line]:
    return [line for i, line in enumerate(lines) if line.text or (i and lines[i - 1].text)]


def _source_of(reference: str) -> list[Line]:
    """The function that `reference`, module:function, names, as its file has it; else a comment that says why not."""
    module, _, name = reference.partition(":")
    try:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise ImportError("the module is not there")
        text = Path(spec.origin).read_text("utf-8")
        (found,) = (node for node in ast.parse(text).body if getattr(node, "name", None) == name)
        source = ast.get_source_segment(text, found) or ""
    except Exception as error:  # whatever another package's files are, or are not
        return [Line(f"# The source of {reference} cannot be shown ({type(error).__name__}).")]
    return [Line(line) for line in source.expandtabs(4).splitlines()]

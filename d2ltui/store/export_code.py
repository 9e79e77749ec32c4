"""A run as code of one's own, and its weights for it."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from d2ltui.code.script import ended, script
from d2ltui.history.live import LiveRun
from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.layers import LayerSpec
from d2ltui.spec.models import MODELS, image_shape
from d2ltui.spec.versions import plain_config, unknown_choices
from d2ltui.store.errors import NotAllowed, StoreError


def code(config: RunConfig, name: str, live: LiveRun | None = None) -> str:
    """Python that trains what the run `name` has trained, from scratch or concise, and comes to the same figures.

    Of another package's model it is what builds the network and loads the exported weights. `live` is the run as it is
    stored: where and how it was trained, and what came of it.

    Raises:
        StoreError: where another version has chosen something for it that this one does not have.
    """
    _refuse_unknown(config, name)
    if MODELS[config.model].build:
        return _foreign_code(config, name)
    if live is None or live.started is None:
        return script(config, name)
    last, outcome = live.epochs[-1] if live.epochs else None, ""
    if last is not None:
        outcome = ended(
            live.status,
            last.epoch,
            config.epochs,
            (last.train_loss, last.val_loss),
            (live.header.metric_title, last.val_metric),
        )
    return script(
        config,
        name,
        device=live.started.device,
        threads=live.started.threads,
        outcome=outcome,
        lr_changes=[(change.step, change.lr) for change in live.lr_changes],
    )


def _foreign_code(config: RunConfig, name: str) -> str:
    """The same for a model of another package, which that package builds."""
    model = MODELS[config.model]
    module, __, made = (model.scratch if config.implementation == "scratch" else model.build).partition(":")
    info = config.dataset_info
    shape = info.input_shape if len(info.input_shape) == 1 else image_shape(info)
    given = {field: value for field, value in plain_config(config).items() if field not in ("device", "threads")}
    return "\n".join(
        (
            "import torch",
            f"from {module} import {made}",
            "",
            "from d2ltui.spec.config import resolve",
            "",
            f"config = resolve({given!r}, unused=True)",
            f"# {info.name}: inputs (n, {', '.join(map(str, shape))}), float32; normalisation: {info.normalisation}.",
            f"net = {made}(config, config.dataset_info)",
            f"# d2ltui export {name} --weights -o weights.pt",
            'net.load_state_dict(torch.load("weights.pt", weights_only=True))',
            "net.eval()",
            "",
        )
    )


def _wants_images(plan: Sequence[LayerSpec]) -> bool:
    return any(spec.kind == "convolution" for spec in plan)


def weights(path: Path, config: RunConfig) -> bytes:
    """The weights of the run's last checkpoint, for the network of `code`: a state_dict as PyTorch saves it.

    Where that cannot be used they are those of the one before, as they are for a run that goes on; standard error says
    so.

    Raises:
        StoreError: where there is no checkpoint, or it cannot be read; where another version or a plug-in that is not
            here has chosen something for the run.
    """
    _refuse_unknown(config, path.name)
    from d2ltui.engine.checkpoint import CheckpointError
    from d2ltui.runner.recording import last_checkpoint

    try:
        checkpoint, damage = last_checkpoint(path, config)
    except CheckpointError as error:
        raise StoreError(str(error)) from None
    if checkpoint is None:
        raise NotAllowed(_("run: {name} has no checkpoint, and so no weights to export").format(name=path.name))
    if damage:
        print(f"d2ltui: {damage}", file=sys.stderr)
    if MODELS[config.model].build:
        return _saved({name.removeprefix("model."): value for name, value in checkpoint.model.items()})
    plan = {spec.index: spec for spec in catalogue.layer_plan(config)}
    first = 0 if _wants_images(tuple(plan.values())) else 1  # of nn.Sequential's modules, which are counted from 0
    state = {}
    for name, value in checkpoint.model.items():
        index, __, kind = name.partition(".")
        # From scratch, a weight is (n_in, n_out), as in the book; nn.Linear's is (n_out, n_in).
        if config.implementation == "scratch" and kind == "weight" and plan[int(index)].kind == "linear":
            value = value.T.contiguous()
        state[f"{int(index) - first}.{kind}"] = value
    return _saved(state)


def _refuse_unknown(config: RunConfig, name: str) -> None:
    if unknown := unknown_choices(config):
        raise StoreError(
            _("run: {name} cannot be exported so: this d2ltui does not know {unknown}").format(
                name=name, unknown=", ".join(unknown)
            )
        )


def _saved(state: dict[str, Any]) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()

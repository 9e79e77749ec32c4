"""A training made into a checkpoint, and a checkpoint into a training that goes on as if nothing had happened."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch

from d2ltui.engine.checkpoint import Checkpoint, CheckpointError, epochs_tensor, to_cpu
from d2ltui.engine.preparation import Prepared
from d2ltui.engine.progress import Progress
from d2ltui.history.epochs import Epochs
from d2ltui.history.series import Array
from d2ltui.nn import load_state
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _


def take(
    config: RunConfig,
    progress: Progress,
    parts: Prepared,
    threads: int,
    random: torch.Tensor | None = None,
    device: str = "",
) -> Checkpoint:
    """A copy of everything that the steps to come depend on. Steps must have been published.

    `random` is the state of the generator that the run draws from, where it is not PyTorch's own; `device` the kind on
    which it is trained, where that is another than the one of `parts`.
    """
    loss_sum, metric_sum, samples = progress.epoch_sums.tolist()
    return Checkpoint(
        config=config,
        step=progress.step,
        epoch=progress.epoch,
        batch=progress.step - progress.epoch_began,
        seconds=progress.clock.seconds,
        lr=progress.lr,
        sums=(loss_sum, metric_sum, samples),
        epochs=epochs_tensor(progress.epochs),
        model=to_cpu(parts.network.state_dict()),
        optimizer=to_cpu(parts.optimizer.state_dict()),
        order=progress.epoch_order.clone(),
        random=torch.get_rng_state() if random is None else random,
        random_cuda=torch.cuda.get_rng_state(parts.device) if parts.device.type == "cuda" else None,
        data=parts.fingerprint,
        threads=threads,
        device=device or parts.device.type,
    )


def restore(
    checkpoint: Checkpoint,
    progress: Progress,
    parts: Prepared,
    past_probes: Iterable[events.LayersProbed],
    past_losses: Array | None = None,
) -> None:
    """Take over everything that a checkpoint holds. `past_probes` were seen in the layers before it.

    `past_losses`, shape (steps,), are the losses of the steps before it, and perhaps of some after it; None where they
    are not known.

    Raises:
        CheckpointError: where it does not fit this network, its optimiser or the data.
    """
    if checkpoint.data != parts.fingerprint:
        raise CheckpointError(
            _("dataset: {dataset} is not the data that the run was trained on").format(
                dataset=checkpoint.config.dataset
            )
        )
    try:
        parts.network.load_state(checkpoint.model)
        load_state(parts.optimizer, checkpoint.optimizer)
        torch.set_rng_state(checkpoint.random)
        if checkpoint.random_cuda is not None and parts.device.type == "cuda":
            torch.cuda.set_rng_state(checkpoint.random_cuda, parts.device)
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise CheckpointError(_("checkpoint: it does not fit the run ({reason})").format(reason=error)) from None
    progress.step, progress.lr = checkpoint.step, checkpoint.lr
    progress.clock.set(checkpoint.seconds)
    progress.epoch, progress.epoch_began = checkpoint.epoch, checkpoint.step - checkpoint.batch
    progress.epoch_order, progress.epoch_sums = checkpoint.order, np.array(checkpoint.sums)
    progress.order.set_state(checkpoint.order)
    progress.epochs = Epochs.of(checkpoint.history())
    progress.losses.clear()
    if past_losses is not None and len(past_losses) >= checkpoint.step:
        # The latest losses are judged: a resumed run is to be found what it would have been found otherwise.
        first = max(0, checkpoint.step - (progress.losses.maxlen or 0))
        progress.losses.extend(past_losses[first : checkpoint.step].tolist())
    start = next((probed.loss for probed in past_probes if probed.step == 0), math.nan)
    if not math.isfinite(start) and len(progress.epochs):
        start = progress.epochs[0].train_loss  # the first that is known of
    progress.first_loss = start if math.isfinite(start) else math.inf

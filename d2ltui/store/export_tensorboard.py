"""A stored run as TensorBoard's event file, through `torch.utils.tensorboard`: an optional extra."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from d2ltui.spec.language import _
from d2ltui.store.errors import NotAllowed, unwritten
from d2ltui.store.export import metric_name
from d2ltui.store.reader import RunReader

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def write(reader: RunReader, directory: Path) -> None:
    """Write the run into `directory`: scalars by step and by epoch (at its step), histograms of every stored look.

    Raises:
        NotAllowed: where TensorBoard is not installed, or there can be no such directory.
        StoreError: where the directory cannot be written.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise NotAllowed(
            _("tensorboard: it is not installed ({reason}); allowed: after pip install tensorboard").format(
                reason=error
            )
        ) from None
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # The events' time is the time of the export where the run does not know better: it keeps seconds of training.
        writer = SummaryWriter(log_dir=str(directory), max_queue=1000)
        try:
            _scalars(writer, reader)
            _histograms(writer, reader)
        finally:
            writer.close()
    except OSError as error:
        raise unwritten(directory, error) from None


def _scalars(writer: SummaryWriter, reader: RunReader) -> None:
    live, metric = reader.live, metric_name(reader)
    created = float(reader.meta["created"])
    for tag, series in (("loss/step", live.losses), (f"{metric}/step", live.metrics)):
        for i, value in enumerate(series.values().tolist()):
            writer.add_scalar(tag, value, i + 1, walltime=created)
    for epoch in live.epochs:
        figures = {
            "loss/train": epoch.train_loss,
            "loss/val": epoch.val_loss,
            f"{metric}/train": epoch.train_metric,
            f"{metric}/val": epoch.val_metric,
        }
        for tag, value in figures.items():
            writer.add_scalar(tag, value, epoch.step, walltime=created + epoch.seconds)
    for change in live.lr_changes:
        writer.add_scalar("lr", change.lr, change.step, walltime=created)


def _histograms(writer: SummaryWriter, reader: RunReader) -> None:
    for probed in reader.all_layers():
        for layer in probed.layers:
            name = f"{layer.index} {layer.title}"
            count = sum(layer.counts)
            if count:
                square = layer.sd**2 + layer.mean**2
                moments = (layer.mean * count, square * count)
                _histogram(writer, f"outputs/{name}", layer.counts, layer.minimum, layer.maximum, probed.step, moments)
            if sum(layer.gradient_counts):
                low, high = layer.gradient_minimum, layer.gradient_maximum
                _histogram(writer, f"gradients/{name}", layer.gradient_counts, low, high, probed.step, None)
            if sum(layer.weight_counts):
                low, high = layer.weight_minimum, layer.weight_maximum
                _histogram(writer, f"weights/{name}", layer.weight_counts, low, high, probed.step, None)
            if layer.gradient_norm is not None:
                writer.add_scalar(f"gradient norm/{name}", layer.gradient_norm, probed.step)


def _histogram(
    writer: SummaryWriter,
    tag: str,
    counts: Sequence[int],
    low: float,
    high: float,
    step: int,
    moments: tuple[float, float] | None,
) -> None:
    """Equal bins over [low, high]. Without `moments` (sum, sum of squares) they are the bins' centres'."""
    if not high > low:  # everything is one value, in the first bin
        counts = [sum(counts)]
        width, limits = 0.0, [high]
    else:
        width = (high - low) / len(counts)
        limits = [low + width * (i + 1) for i in range(len(counts))]
        limits[-1] = high
    if moments is None:
        centres = [limit - width / 2 for limit in limits]
        moments = (
            sum(n * x for n, x in zip(counts, centres, strict=True)),
            sum(n * x * x for n, x in zip(counts, centres, strict=True)),
        )
    writer.add_histogram_raw(
        tag,
        min=low,
        max=high,
        num=sum(counts),
        sum=moments[0],
        sum_squares=moments[1],
        bucket_limits=limits,
        bucket_counts=list(counts),
        global_step=step,
    )

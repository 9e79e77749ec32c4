"""A data set of another package, in one file: what somebody writes who wants to add one."""

from __future__ import annotations

from d2ltui.spec.datasets import DatasetInfo, DatasetSource


def load(info, params, progress, cancelled):  # type: ignore[no-untyped-def]
    """Points at one of three distances from the centre; the run's seed makes them."""
    import torch

    from d2ltui.data import Dataset

    generator = torch.Generator().manual_seed(params["seed"])
    total = info.train_size + info.val_size
    y = torch.arange(total) % 3
    angle = 6.2832 * torch.rand(total, generator=generator)
    radius = y + 0.5 + 0.1 * torch.randn(total, generator=generator)
    x = torch.stack((radius * angle.cos(), radius * angle.sin()), dim=1)
    n = info.train_size
    return Dataset(info, x[:n], y[:n], x[n:], y[n:])


RINGS = DatasetSource(
    DatasetInfo(
        name="rings",
        title="three rings",
        task="classification",
        origin="synthetic",
        input_shape=(2,),
        num_outputs=3,
        train_size=300,
        val_size=90,
        normalisation="none",
        description="three rings around one centre",
        classes=("inner", "middle", "outer"),
    ),
    "rings_plugin:load",
)

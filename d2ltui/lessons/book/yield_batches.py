"""A generator hands out the data (section 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from d2ltui.lessons.bench import Bench, mean
from d2ltui.lessons.measured import Measured, figure
from d2ltui.lessons.texts import book_lesson
from d2ltui.spec.diagrams import Panel, Panels, Raster
from d2ltui.spec.numbers import size, whole_percent

if TYPE_CHECKING:
    from torch import Tensor

WRONG, ALIKE = "Samples that came never, or twice, in an epoch", "The same sample in the same place in two epochs"
MEMORY = "Memory behind a batch"
DRAWN, DRAWN_BATCH = 16, 2  # samples of the picture
_SAMPLES, _INPUTS, _BATCH = 200_000, 64, 256


def yield_batches(bench: Bench, iterate: Callable[..., Iterator[tuple[Tensor, Tensor]]] | None = None) -> Measured:
    """Section 3.3's generator, or another, over a data set of 49 MiB."""
    import torch

    from d2ltui.data.batches import data_iter

    iterate = iterate or data_iter
    bench.show(_picture(bench, iterate))
    labels = torch.arange(_SAMPLES)
    features = labels.to(torch.float32).reshape(-1, 1).repeat(1, _INPUTS)
    wrong, mixed, alike, block = 0, 0, [], 0
    for seed in bench.seeds:
        generator = torch.Generator().manual_seed(seed)
        orders = []
        for _ in range(2):
            seen = []
            for x, y in iterate(features, labels, _BATCH, generator):
                bench.go_on()
                seen.append(y)
                mixed += int((x[:, 0].long() != y).sum())
                block = max(block, x.untyped_storage().nbytes())
            order = torch.cat(seen)
            counts = torch.bincount(order, minlength=_SAMPLES)
            wrong += int((counts != 1).sum())
            orders.append(order[:_SAMPLES])
        n = min(map(len, orders))
        alike.append(float((orders[0][:n] == orders[1][:n]).double().mean()))
    share = block / features.nbytes
    return Measured(
        [
            figure("samples handed out never or more than once in an epoch", wrong, 0, 0, plain=WRONG),
            figure("samples that came with another's label", mixed, 0, 0),
            figure("places where two epochs have the same sample", mean(alike), 0, 0.01, "of all", ALIKE),
            figure("memory behind a batch", share, high=0.2, unit="of the data set", plain=MEMORY),
        ],
        f"{2 * len(bench.seeds)} epochs of {_SAMPLES:,} samples; behind a batch there are at most "
        f"{size(block)} of memory, the data set has {size(features.nbytes)}.",
        f"In {2 * len(bench.seeds)} epochs of {_SAMPLES:,} samples {wrong or 'none'} came never or twice, "
        "another epoch "
        f"has another order, and behind a batch there is {whole_percent(share)} of the memory of the data set.",
    )


def _picture(bench: Bench, iterate: Callable[..., Iterator[tuple[Tensor, Tensor]]]) -> Panels:
    """Of a small data set, in which batch of three epochs each sample comes."""
    import torch

    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(DRAWN)
    panels = []
    for epoch in range(1, 4):
        batches = []
        for _, y in iterate(labels.float().reshape(-1, 1), labels, DRAWN_BATCH, generator):
            bench.go_on()
            batches.append(y)
        values = torch.zeros(DRAWN, len(batches))
        for batch, chosen in enumerate(batches):
            values[chosen, batch] = 1.0
        once = int((torch.bincount(torch.cat(batches), minlength=DRAWN) == 1).sum())
        raster = Raster(values.numpy(), ("waits", "handed out"), ("1st batch", "last"))
        panels.append(Panel(f"epoch {epoch}: {once} once", raster))
    return Panels(
        tuple(panels), columns=3, note=f"rows: {DRAWN} samples; columns: batches of {DRAWN_BATCH}", narrowest=16
    )


LESSON = book_lesson(
    "yield",
    measure=yield_batches,
)

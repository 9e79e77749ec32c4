"""Loops as people write them by hand, to compare with: `python -m tests.benchmarks.loops LOG LOOP [RUN OPTIONS]`.

plain        tensors kept whole on the device, `torch.optim.SGD`, no logging, the validation part after each epoch
no-eval      the same without the validation part
wandb        plain, and each step's loss logged to wandb, offline
tensorboard  plain, and each step's loss logged with `SummaryWriter`
dataloader   the book's: a `DataLoader` over torchvision's data set with `ToTensor`; no validation, no logging
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from d2ltui.config import RunConfig, resolve
from d2ltui.data import load
from d2ltui.engine.device import select

from .child import StepLog

TELL_EVERY = 0.1  # seconds, as the engine does

Log = Callable[[Tensor, int], object]


def network(config: RunConfig, num_inputs: int, num_outputs: int) -> nn.Module:
    """The same layers, the textbook way."""
    widths = [num_inputs, *(config.hidden if config.model == "mlp" else ()), num_outputs]
    layers: list[nn.Module] = []
    for low, high in itertools.pairwise(widths):
        layers += [nn.Linear(low, high), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def logger(loop: str) -> Log | None:
    """What is called with each step's loss."""
    folder = tempfile.mkdtemp(prefix="d2ltui-benchmark-")
    if loop == "wandb":
        import wandb

        os.environ["WANDB_SILENT"] = "true"
        run = wandb.init(mode="offline", dir=folder, project="benchmark", settings=wandb.Settings(console="off"))
        return lambda loss, step: run.log({"loss": loss.item()})
    if loop == "tensorboard":
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(folder)
        return lambda loss, step: writer.add_scalar("loss", loss, step)
    return None


def resident_batches(x: Tensor, y: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled batches of tensors on the device."""
    order = torch.randperm(len(x), device=x.device)
    for start in range(0, len(x), size):
        index = order[start : start + size]
        yield x[index], y[index]


def loaded_batches(config: RunConfig, device: torch.device) -> Callable[[], Iterator[tuple[Tensor, Tensor]]]:
    """The book's way (section 4.2), in this process."""
    import torchvision

    data = torchvision.datasets.FashionMNIST(config.data_dir, train=True, transform=torchvision.transforms.ToTensor())
    loader = torch.utils.data.DataLoader(data, config.batch_size, shuffle=True)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for x, y in loader:
            yield x.flatten(1).to(device), y.to(device)

    return batches


def train(config: RunConfig, loop: str, log: StepLog) -> None:
    """Train until somebody ends this process."""
    device = select(config.device)
    data = load(config)
    x, y, x_val, y_val = (t.to(device) for t in (data.x_train, data.y_train, data.x_val, data.y_val))
    net = network(config, x.shape[1], data.info.num_outputs).to(device)
    loss_fn: nn.Module = nn.MSELoss() if config.task == "regression" else nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=config.lr)
    write = logger(loop)
    loaded = loaded_batches(config, device) if loop == "dataloader" else None
    steps, due = 0, time.monotonic()
    while True:
        for xb, yb in loaded() if loaded else resident_batches(x, y, config.batch_size):
            optimizer.zero_grad()
            loss = loss_fn(net(xb), yb)
            loss.backward()
            optimizer.step()
            steps += 1
            if write is not None:
                write(loss, steps)
            if time.monotonic() >= due:
                if device.type == "cuda":
                    torch.cuda.synchronize()  # steps that are only queued have not been trained
                due = time.monotonic() + TELL_EVERY
                log.write(b"s", steps)
        if loop not in ("no-eval", "dataloader"):
            with torch.inference_mode():
                output = net(x_val)
                loss_fn(output, y_val).item()
                if config.task == "classification":
                    (output.argmax(1) == y_val).float().mean().item()


def main() -> None:
    path, loop, *arguments = sys.argv[1:]
    options = dict(zip((name[2:].replace("-", "_") for name in arguments[::2]), arguments[1::2], strict=True))
    train(resolve(options), loop, StepLog(path))


if __name__ == "__main__":
    main()

"""Loops as people write them by hand, to compare with: `python -m tests.benchmarks.loops LOG LOOP [RUN OPTIONS]`.

plain        tensors kept whole on the device, `torch.optim.SGD`, no logging, the validation part after each epoch
no-eval      the same without the validation part
graph        no-eval, its step captured in a CUDA graph: as fast as a GPU can be told to do it
wandb        plain, and each step's loss logged to wandb, offline
tensorboard  plain, and each step's loss logged with `SummaryWriter`
dataloader   the book's: a `DataLoader` over torchvision's data set with `Resize` and `ToTensor`, the validation part
             after each epoch in the same way; without worker processes, and without what the book draws
dataloader-4 the same with the book's four worker processes

At the end of each epoch, its validation included, a record (v) goes into LOG.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from d2ltui.data import load
from d2ltui.engine.device import select
from d2ltui.spec.config import RunConfig, resolve

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


def resident_batches(x: Tensor, y: Tensor, size: int, *, whole: bool = False) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled batches of tensors on the device; `whole`: without a last one that is smaller."""
    order = torch.randperm(len(x), device=x.device)
    for start in range(0, len(x) - len(x) % size if whole else len(x), size):
        index = order[start : start + size]
        yield x[index], y[index]


def loaded_batches(
    config: RunConfig, device: torch.device, workers: int, *, train: bool
) -> Callable[[], Iterator[tuple[Tensor, Tensor]]]:
    """The book's way (section 4.2), in this process or with worker processes."""
    import torchvision
    from torchvision import transforms

    transform = transforms.Compose([transforms.Resize((28, 28)), transforms.ToTensor()])
    data = torchvision.datasets.FashionMNIST(config.data_dir, train=train, transform=transform)
    loader = torch.utils.data.DataLoader(data, config.batch_size, shuffle=train, num_workers=workers)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for x, y in loader:
            yield x.flatten(1).to(device), y.to(device)

    return batches


Step = Callable[[Tensor, Tensor], Tensor]


def step_of(net: nn.Module, loss_fn: nn.Module, optimizer: torch.optim.Optimizer) -> Step:
    """The training step: features, labels → loss."""

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = loss_fn(net(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss

    return step


def captured(step: Step, x: Tensor, y: Tensor) -> Step:
    """`step` as one launch of a CUDA graph, for batches as large as `x` and `y`."""
    # As PyTorch's own notes have it: warm, on a stream of its own, then captured.
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    x_in, y_in = x.clone(), y.clone()
    with torch.cuda.stream(stream):
        for _ in range(3):
            step(x_in, y_in)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step(x_in, y_in)

    def replay(x: Tensor, y: Tensor) -> Tensor:
        x_in.copy_(x)
        y_in.copy_(y)
        graph.replay()
        return loss

    return replay


def train(config: RunConfig, loop: str, log: StepLog) -> None:
    """Train until somebody ends this process."""
    device = select(config.device)
    data = load(config)
    x, y, x_val, y_val = (t.to(device) for t in (data.x_train, data.y_train, data.x_val, data.y_val))
    net = network(config, x.shape[1], data.info.num_outputs).to(device)
    loss_fn: nn.Module = nn.MSELoss() if config.task == "regression" else nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=config.lr)
    write = logger(loop)
    batches: Callable[[], Iterator[tuple[Tensor, Tensor]]] = functools.partial(
        resident_batches, x, y, config.batch_size, whole=loop == "graph"
    )
    val_batches: Callable[[], Iterator[tuple[Tensor, Tensor]]] = functools.partial(zip, (x_val,), (y_val,))
    if loop.startswith("dataloader"):
        workers = int(loop.partition("-")[2] or 0)
        batches, val_batches = (loaded_batches(config, device, workers, train=train) for train in (True, False))
    step = step_of(net, loss_fn, optimizer)
    if loop == "graph":
        step = captured(step, x[: config.batch_size], y[: config.batch_size])
    steps, due = 0, time.monotonic()
    while True:
        for xb, yb in batches():
            loss = step(xb, yb)
            steps += 1
            if write is not None:
                write(loss, steps)
            if time.monotonic() >= due:
                if device.type == "cuda":
                    torch.cuda.synchronize()  # steps that are only queued have not been trained
                due = time.monotonic() + TELL_EVERY
                log.write(b"s", steps)
        if loop not in ("no-eval", "graph"):
            with torch.inference_mode():
                for xb, yb in val_batches():
                    output = net(xb)
                    loss_fn(output, yb).item()
                    if config.task == "classification":
                        (output.argmax(1) == yb).float().mean().item()
        log.write(b"v", steps)


def main() -> None:
    path, loop, *arguments = sys.argv[1:]
    options = dict(zip((name[2:].replace("-", "_") for name in arguments[::2]), arguments[1::2], strict=True))
    train(resolve(options), loop, StepLog(path))


if __name__ == "__main__":
    main()

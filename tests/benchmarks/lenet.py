"""Whether LeNet learns as it does in a plain PyTorch loop: `python -m tests.benchmarks.lenet [OPTIONS]`.

The book's setting (section 7.6): Fashion-MNIST, sigmoid, Xavier's initialisation, batches of 128, a learning rate of
0.1, 10 epochs. `d2ltui train` runs it as a command; the loop shares nothing with it: torchvision's tensors,
`nn.Sequential`, `torch.optim.SGD`, and initial weights and an order of its own. Both on each seed, one after the other.

Sigmoids keep LeNet at a guess for the first epochs, and how many depends on the seed: means over few seeds differ by
some hundredths even between two runs of the same loop.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from torch import Tensor, nn

from .terminal import ROOT, environment

GOAL = 0.03  # largest difference between the means
LR, BATCH_SIZE = 0.1, 128
ACTIVATIONS: dict[str, type[nn.Module]] = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}


def network(activation: type[nn.Module], init: str) -> nn.Sequential:
    """The book's, on pictures of shape (n, 1, 28, 28). As in the book, biases stay as PyTorch makes them."""
    net = nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), activation(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, kernel_size=5), activation(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), activation(), nn.Linear(120, 84), activation(), nn.Linear(84, 10),
    )  # fmt: skip
    for layer in net:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            if init == "xavier":
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return net


def pictures(data_dir: str, *, train: bool) -> tuple[Tensor, Tensor]:
    """Features of shape (n, 1, 28, 28) from 0 to 1, and labels."""
    import torchvision

    data = torchvision.datasets.FashionMNIST(data_dir, train=train)
    return data.data.unsqueeze(1) / 255, data.targets


def loop(data_dir: str, activation: str, init: str, epochs: int, seed: int) -> float:
    """The validation accuracy after a plain loop."""
    torch.manual_seed(seed)
    (x, y), (x_val, y_val) = (pictures(data_dir, train=train) for train in (True, False))
    net = network(ACTIVATIONS[activation], init)
    loss_fn, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), lr=LR)
    accuracy = 0.0
    for epoch in range(1, epochs + 1):
        for index in torch.randperm(len(x)).split(BATCH_SIZE):
            optimizer.zero_grad()
            loss_fn(net(x[index]), y[index]).backward()
            optimizer.step()
        with torch.inference_mode():
            parts = zip(x_val.split(1000), y_val.split(1000), strict=True)
            right = sum(int((net(part).argmax(1) == labels).sum()) for part, labels in parts)
        accuracy = right / len(x_val)
        print(f"loop, seed {seed}, epoch {epoch}: {accuracy:.3f}", file=sys.stderr, flush=True)
    return accuracy


def application(data_dir: str, activation: str, init: str, epochs: int, seed: int, threads: int) -> float:
    """The validation accuracy after `d2ltui train`."""
    options = {
        "model": "lenet", "dataset": "fashion-mnist", "data-dir": data_dir, "activation": activation, "init": init,
        "lr": LR, "batch-size": BATCH_SIZE, "epochs": epochs, "seed": seed, "threads": threads, "device": "cpu",
    }  # fmt: skip
    arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "d2ltui", "train", "--json", *arguments]
    with tempfile.TemporaryDirectory(prefix="d2ltui-benchmark-") as home:
        done = subprocess.run(
            command, cwd=ROOT, env=environment(D2LTUI_HOME=home), stdout=subprocess.PIPE, text=True, check=True
        )
    return float(json.loads(done.stdout.splitlines()[-1])["val_accuracy"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.lenet", description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", default=os.environ.get("D2LTUI_DATA_DIR"), help="torchvision's root")
    parser.add_argument("--seeds", default="0,1,2", help="separated by commas")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--activation", choices=ACTIVATIONS, default="sigmoid")
    parser.add_argument("--init", choices=("xavier", "kaiming"), default="xavier")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch, on both sides")
    given = parser.parse_args()
    if not given.data_dir:
        parser.error("give --data-dir with Fashion-MNIST, or set D2LTUI_DATA_DIR")
    torch.set_num_threads(given.threads)
    sides: dict[str, list[float]] = {"loop": [], "d2ltui": []}
    for seed in [int(word) for word in given.seeds.split(",")]:
        began = time.monotonic()
        setting = (given.data_dir, given.activation, given.init, given.epochs, seed)
        sides["loop"].append(loop(*setting))
        between = time.monotonic()
        sides["d2ltui"].append(application(*setting, given.threads))
        took = f"({between - began:.0f} s and {time.monotonic() - between:.0f} s)"
        print(f"seed {seed}: loop {sides['loop'][-1]:.3f}  d2ltui {sides['d2ltui'][-1]:.3f}  {took}", flush=True)
    means = {name: statistics.mean(values) for name, values in sides.items()}
    difference = means["d2ltui"] - means["loop"]
    print(f"mean: loop {means['loop']:.3f}  d2ltui {means['d2ltui']:.3f}")
    print(f"difference {difference:+.3f}, goal within ±{GOAL}: {'yes' if abs(difference) <= GOAL else 'NO'}")


if __name__ == "__main__":
    main()

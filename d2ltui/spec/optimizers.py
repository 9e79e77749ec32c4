"""The optimisers, and all that the program needs to know of each (chapter 12)."""

from __future__ import annotations

import math

import msgspec

from d2ltui.spec.registry import Registry, check_line, check_reference, check_struct


class OptimizerSpec(msgspec.Struct, frozen=True):
    """An optimiser.

    `make` is a reference, `module:class`, of a `torch.optim.Optimizer`, made with parameters, `lr`, `weight_decay`, the
    run's hyperparameters in `fields`, and `options`. `lr` is the learning rate that usually works; on some data sets
    the catalogue knows a better one, by the name in `rates_of` where those of another optimiser are right for this
    one, too.

    `states` counts the tensors as large as the weights that it keeps. `from_scratch` tells whether the from-scratch
    models have it.
    """

    name: str
    title: str
    make: str
    lr: float
    options: dict[str, object] = {}
    fields: tuple[str, ...] = ()
    rates_of: str = ""
    states: int = 0
    from_scratch: bool = False


def check_optimizer(optimizer: OptimizerSpec) -> None:
    """That `optimizer` can be offered. Raises ValueError, with what is wrong."""
    check_struct(optimizer)
    check_line(optimizer, "title")
    check_reference(optimizer, "make")
    if not 0 < optimizer.lr < math.inf:
        raise ValueError(f"lr: {optimizer.lr} is not allowed; allowed: more than 0, finite")
    if unknown := [name for name in optimizer.fields if name not in OWN_FIELDS]:
        raise ValueError(f"fields: '{unknown[0]}' is not allowed; allowed: {', '.join(OWN_FIELDS)}")


OWN_FIELDS = ("momentum",)  # hyperparameters that only some optimisers have
OPTIMIZERS: Registry[OptimizerSpec] = Registry("d2ltui.optimizers", OptimizerSpec, check_optimizer)

# SGD has the book's rate, and momentum a tenth of SGD's: it takes 0.9 of each step again, so that one becomes
# 1/(1 − 0.9) = 10. Adam, AdamW and Adagrad have PyTorch's defaults, 0.001 and 0.01, and RMSprop a tenth of PyTorch's
# (0.01), which moves as far as Adam's. All measured: `python -m tests.benchmarks.defaults`.
for _optimizer in (
    OptimizerSpec("sgd", "minibatch stochastic gradient descent", "torch.optim:SGD", lr=0.1, from_scratch=True),
    OptimizerSpec(
        "momentum",
        "SGD whose steps repeat a share of the step before",
        "torch.optim:SGD",
        lr=0.01,
        fields=("momentum",),
        states=1,
    ),
    OptimizerSpec(
        "adagrad", "a rate for each parameter, from its past gradients", "torch.optim:Adagrad", lr=0.01, states=1
    ),
    OptimizerSpec("rmsprop", "Adagrad that forgets", "torch.optim:RMSprop", lr=0.001, states=1),
    OptimizerSpec("adam", "momentum and RMSprop together", "torch.optim:Adam", lr=0.001, states=2),
    OptimizerSpec(
        "adamw",
        "Adam whose weight decay shrinks the weights themselves",
        "torch.optim:AdamW",
        lr=0.001,
        rates_of="adam",
        states=2,
    ),
):
    OPTIMIZERS.register(_optimizer)


def from_scratch() -> tuple[str, ...]:
    """The optimisers that the from-scratch models have."""
    return tuple(spec.name for spec in OPTIMIZERS.values() if spec.from_scratch)

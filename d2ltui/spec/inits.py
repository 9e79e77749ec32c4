"""The initialisations: how weights start, and all that the program needs to know of each (section 5.4)."""

from __future__ import annotations

import msgspec

from d2ltui.spec.registry import Registry, check_line, check_reference


class InitSpec(msgspec.Struct, frozen=True):
    """An initialisation.

    `draw` is a reference, `module:function`, of a function that is called for each layer with its weight and its bias,
    both zero, and fills them: `draw(weight, bias, fan_in, fan_out, generator, params)`. Random numbers come from
    `generator`; `params` are the run's hyperparameters by name. `fields` are those that no other initialisation has a
    use for.
    """

    name: str
    description: str
    draw: str
    fields: tuple[str, ...] = ()


def check_init(init: InitSpec) -> None:
    """That `init` can be offered. Raises ValueError, with what is wrong."""
    check_line(init, "description")
    check_reference(init, "draw")


INITS: Registry[InitSpec] = Registry("d2ltui.inits", InitSpec, check_init)

for _init in (
    InitSpec(
        "default",
        "the book's for the model: torch.nn's own (concise) or N(0, 0.01²) (from scratch, and linear)",
        "d2ltui.nn.init:default",
    ),
    InitSpec("normal", "N(0, init_std²), biases zero", "d2ltui.nn.init:normal", ("init_std",)),
    InitSpec("xavier", "uniform, variance 2 / (n_in + n_out), biases zero", "d2ltui.nn.init:xavier"),
    InitSpec("kaiming", "normal, variance 2 / n_in, biases zero", "d2ltui.nn.init:kaiming"),
    InitSpec("zeros", "all zero", "d2ltui.nn.init:zeros"),
):
    INITS.register(_init)

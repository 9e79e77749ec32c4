"""The activation functions, and all that the program needs to know of each (sections 5.1, 5.4)."""

from __future__ import annotations

from typing import Literal

import msgspec

from d2ltui.spec.language import _
from d2ltui.spec.registry import Registry, check_line, check_reference, check_struct


class Activation(msgspec.Struct, frozen=True):
    """An activation function.

    `module` and `scratch` are references, `module:name`: of an `nn.Module` class that is made without arguments, and
    of a function of a tensor of any shape. `module` is "" for none at all, `scratch` where there is none from scratch.

    `flat_ends` are the outputs below and above which its slope is less than a twentieth of its largest: those are
    saturated. `can_die` is for a function whose output and slope are both 0 over half of its inputs. `vanishing` says
    why gradients vanish on their way back through many of them, and `init` names the initialisation made for it.
    """

    name: str
    title: str
    formula: str
    module: str
    scratch: str = ""
    flat_ends: tuple[float, float] | None = None
    never_negative: bool = False
    can_die: bool = False
    vanishing: str = ""
    init: Literal["xavier", "kaiming"] = "kaiming"


def check_activation(activation: Activation) -> None:
    """That `activation` can be offered. Raises ValueError, with what is wrong."""
    check_struct(activation)
    check_line(activation, "title", "formula")
    for field in ("module", "scratch"):
        if getattr(activation, field):
            check_reference(activation, field)
    if activation.flat_ends is not None and not activation.flat_ends[0] < activation.flat_ends[1]:
        raise ValueError(f"flat_ends: {activation.flat_ends} is not allowed; allowed: a lower and a higher output")


ACTIVATIONS: Registry[Activation] = Registry("d2ltui.activations", Activation, check_activation)

_OFF_BELOW = _(
    "Going backward, the gradient is multiplied by each layer's weights, and by nearly 0 where a unit is off."
)

for _activation in (
    Activation("identity", "Identity", "none: any depth is one linear map", "", init="xavier"),
    Activation(
        "sigmoid",
        "Sigmoid",
        "1 / (1 + e⁻ˣ), between 0 and 1",
        "torch.nn:Sigmoid",
        "d2ltui.nn.functional:sigmoid",
        flat_ends=(0.01, 0.99),
        never_negative=True,
        vanishing=_("Going backward, each sigmoid multiplies the gradient by its slope, which is 0.25 at most."),
        init="xavier",
    ),
    Activation(
        "tanh",
        "Tanh",
        "between −1 and 1, zero-centred",
        "torch.nn:Tanh",
        "d2ltui.nn.functional:tanh",
        flat_ends=(-0.98, 0.98),
        vanishing=_(
            "Going backward, each tanh multiplies the gradient by its slope: 1 at most, near 0 where saturated."
        ),
        init="xavier",
    ),
    Activation(
        "relu",
        "ReLU",
        "max(0, x)",
        "torch.nn:ReLU",
        "d2ltui.nn.functional:relu",
        never_negative=True,
        can_die=True,
        vanishing=_(
            "Going backward, the gradient is multiplied by each layer's weights, and by 0 where a ReLU is off."
        ),
    ),
    Activation(
        "leaky-relu",
        "LeakyReLU",
        "x, and 0.01x below 0: cannot die",
        "torch.nn:LeakyReLU",
        "d2ltui.nn.functional:leaky_relu",
        vanishing=_OFF_BELOW,
    ),
    Activation(
        "elu",
        "ELU",
        "x, and eˣ − 1 below 0: nearly zero-centred",
        "torch.nn:ELU",
        "d2ltui.nn.functional:elu",
        vanishing=_OFF_BELOW,
    ),
    Activation(
        "gelu",
        "GELU",
        "x · Φ(x), a smooth ReLU; Φ is the normal distribution's",
        "torch.nn:GELU",
        "d2ltui.nn.functional:gelu",
        vanishing=_OFF_BELOW,
    ),
    Activation(
        "silu",
        "SiLU",
        "x · sigmoid(x), a smooth ReLU",
        "torch.nn:SiLU",
        "d2ltui.nn.functional:silu",
        vanishing=_OFF_BELOW,
    ),
):
    ACTIVATIONS.register(_activation)


def activation_of(layer: str) -> Activation | None:
    """The activation whose layers are called `layer`, such as `ReLU`; None where the program knows none."""
    return next((activation for activation in ACTIVATIONS.values() if activation.title == layer), None)

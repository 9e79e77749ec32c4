"""The initial parameters as code: the same numbers, in the same order, for both implementations (section 5.4)."""

from __future__ import annotations

from d2ltui.code.lines import Line, block
from d2ltui.spec import catalogue
from d2ltui.spec.config import RunConfig
from d2ltui.spec.inits import INITS
from d2ltui.spec.numbers import setting
from d2ltui.spec.versions import plain_config

_NORMAL = "W = torch.normal(0.0, {sd}, {shape}, generator=generator)"
_UNIFORM = "W = torch.empty({shape}).uniform_(-bound, bound, generator=generator)"


def has_convolutions(config: RunConfig) -> bool:
    """Whether samples are pictures to the network."""
    return any(spec.kind == "convolution" for spec in catalogue.layer_plan(config))


def differs(config: RunConfig) -> bool:
    """Whether the two implementations begin with other numbers: by default torch.nn's own, and the book's."""
    return config.init == "default" and config.model != "linear"


def init_params(config: RunConfig, implementation: str) -> tuple[tuple[str, ...], list[Line]]:
    """Imports, and the function that makes a layer's weights and biases."""
    convolutions = has_convolutions(config)
    shape = "shape" if convolutions else "(num_inputs, num_outputs)"
    loose = shape.strip("()")
    fan_in, fan_out = ("fan_in", "fan_out") if convolutions else ("num_inputs", "num_outputs")
    imports: tuple[str, ...] = ()
    bias = "torch.zeros(num_outputs)"
    made = []
    name, concise = config.init, implementation == "concise"
    if name == "default" and concise and config.model != "linear":
        what = "as nn.Linear draws them: uniform, up to 1/√(inputs)"
        bias = "torch.empty(num_outputs).uniform_(-bound, bound, generator=generator)"
        made = [f"bound = 1 / math.sqrt({fan_in})", _UNIFORM.format(shape=loose)]
    elif name in ("default", "normal"):
        sd = 0.01 if name == "default" else config.init_std
        what = f"N(0, {setting(sd)}²), biases zero"
        made = [_NORMAL.format(sd=repr(float(sd)), shape=shape)]
    elif name == "xavier":
        what = "Xavier: uniform, variance 2 / (inputs + outputs), biases zero"
        made = [f"bound = math.sqrt(6 / ({fan_in} + {fan_out}))", _UNIFORM.format(shape=loose)]
    elif name == "kaiming":
        what = "Kaiming: normal, variance 2 / inputs, biases zero"
        made = [_NORMAL.format(sd=f"math.sqrt(2 / {fan_in})", shape=shape)]
    elif name == "zeros":
        what = "all zero"
        made = [f"W = torch.zeros({loose})"]
    else:
        module, _, function = INITS[name].draw.partition(":")
        imports = (f"from {module} import {function}",)
        what = f"{name}, of another package"
        made = [
            f"W, b = torch.zeros({loose}), torch.zeros(num_outputs)",
            f"{function}(W, b, {fan_in}, {fan_out}, generator, hyperparameters)",
        ]
        bias = "b"
    lines = [Line(f"hyperparameters = {plain_config(config)!r}"), *block("\n\n")] if imports else []
    head = f'"""Weights and biases: {what}."""'
    if convolutions:
        lines += block(
            f"""
            def init_params(num_inputs, num_outputs, kernel=None):
                {head}
                shape, area = (num_inputs, num_outputs), 1
                if kernel is not None:
                    shape, area = (num_outputs, num_inputs, kernel, kernel), kernel**2
            """
        )
        if any("fan_" in line for line in made):
            lines.append(Line("    fan_in, fan_out = num_inputs * area, num_outputs * area"))
        else:
            lines[-3:] = [
                Line("    shape = (num_inputs, num_outputs)"),
                Line("    if kernel is not None:"),
                Line("        shape = (num_outputs, num_inputs, kernel, kernel)"),
            ]
    else:
        lines += [Line("def init_params(num_inputs, num_outputs):"), Line(f"    {head}")]
    lines += [Line(f"    {line}") for line in made]
    return imports, [*lines, Line(f"    return W, {bias}")]

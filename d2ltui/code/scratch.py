"""The from-scratch implementation as code: tensors with gradients, and the book's formulas (sections 3.4, 4.4, 5.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from d2ltui.code import formulas
from d2ltui.code.lines import Line, block
from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import RunConfig
from d2ltui.spec.layers import LayerSpec
from d2ltui.spec.models import image_shape


class Implementation(NamedTuple):
    """One of the two, in parts that follow one another."""

    imports: tuple[str, ...]
    functions: list[Line]  # formulas that the network is made of
    parameters: list[Line]
    net: list[Line]
    loss: list[Line]
    optimizer: list[Line]
    step: list[Line]


class _Layer(NamedTuple):
    """A layer with the names of its parameters, of its input and of its output."""

    spec: LayerSpec
    weight: str
    bias: str
    before: str
    after: str


def _layers(config: RunConfig) -> Iterator[_Layer]:
    """The layers, each with names as the book gives them: Z before an activation function, H behind it."""
    number = pooled = 0
    before = "X"
    plan = catalogue.layer_plan(config)
    for spec in plan:
        weight = bias = ""
        if spec.kind in ("linear", "convolution"):
            number += 1
            weight, bias = f"{'W' if spec.kind == 'linear' else 'K'}{number}", f"b{number}"
            after = f"Z{number}"
        elif spec.kind == "pooling":
            pooled += 1
            after = f"P{pooled}"
        elif spec.kind == "flatten":
            after = "F"
        else:
            after = f"H{number}"
        if len(plan) == 1:
            weight, bias = "W", "b"
        yield _Layer(spec, weight, bias, before, after)
        before = after


def _applied(layer: _Layer, config: RunConfig, function: str) -> str:
    """What is computed of the layer's input."""
    spec, before = layer.spec, layer.before
    if spec.kind == "linear":
        return f"{before} @ {layer.weight} + {layer.bias}"
    if spec.kind == "convolution":
        padding = f", padding={spec.padding}" if spec.padding else ""
        return f"corr2d({before}, {layer.weight}, {layer.bias}{padding})"
    if spec.kind == "pooling":
        return f"pool2d({before}, {spec.kernel})"
    if spec.kind == "flatten":
        return f"{before}.reshape(len({before}), -1)"
    if spec.kind == "dropout":
        return f"dropout({before}, {config.dropout!r})"
    return f"{function}({before})"


def _net(config: RunConfig, layers: list[_Layer], function: str) -> list[Line]:
    training = ", is_training=True" if config.dropout and any(layer.spec.kind == "dropout" for layer in layers) else ""
    lines = [Line(f"def net(X{training}):")]
    if any(layer.spec.kind == "convolution" for layer in layers):
        shape = ", ".join(map(str, image_shape(config.dataset_info)))
        lines.append(Line(f"    X = X.reshape(-1, {shape})", "forward", "X"))
    for layer in layers:
        applied = _applied(layer, config, function)
        if layer is layers[-1]:
            lines.append(Line(f"    return {applied}", "forward", "y_hat"))
        elif layer.spec.kind == "dropout":
            lines.append(Line("    if is_training:", "forward"))
            lines.append(Line(f"        {layer.after} = {applied}", "forward", layer.after))
        else:
            lines.append(Line(f"    {layer.after} = {applied}", "forward", layer.after))
    return lines


def _parameters(layers: list[_Layer], device: str) -> list[Line]:
    having = [layer for layer in layers if layer.weight]
    lines = []
    for layer in having:
        spec = layer.spec
        kernel = f", {spec.kernel}" if spec.kind == "convolution" else ""
        made = f"init_params({spec.num_inputs}, {spec.num_outputs}{kernel})"
        lines.append(Line(f"{layer.weight}, {layer.bias} = {made}"))
    names = ", ".join(f"{layer.weight}, {layer.bias}" for layer in having)
    if device != "cpu":
        lines.append(Line(f"{names} = (param.to(device) for param in ({names}))"))
    return [
        *lines,
        Line(f"params = [{names}]"),
        Line("for param in params:"),
        Line("    param.requires_grad_()"),
    ]


def _step(config: RunConfig, layers: list[_Layer], update: formulas.Update) -> list[Line]:
    lines = [Line("def train_step(X, y):")]
    if update.counts:
        lines += [Line("    global t", "update"), Line("    t += 1", "update")]
    lines += [Line("    y_hat = net(X)", "forward", "y_hat"), Line("    l = loss(y_hat, y)", "loss", "l")]
    objective = "l"
    if config.weight_decay and config.optimizer != "adamw":
        weights = " + ".join(f"l2_penalty({layer.weight})" for layer in layers if layer.weight)
        lines.append(Line(f"    penalty = {weights}", "loss", "penalty"))
        objective = f"(l + {config.weight_decay!r} * penalty)"
    lines.append(Line(f"    {objective}.backward()", "backward"))
    if config.clip_norm:
        lines.append(Line(f"    grad_clipping(params, {config.clip_norm!r})", "update"))
    lines.append(Line(f"    {update.call.format(momentum=config.momentum)}", "update"))
    return [*lines, Line("    return l.detach()")]


def scratch(config: RunConfig, device: str = "cpu") -> Implementation:
    """The implementation from scratch of a model that is a chain of layers."""
    layers = list(_layers(config))
    kinds = {layer.spec.kind for layer in layers}
    imports: tuple[str, ...] = ()
    sources: list[str] = []
    function = ""
    if "activation" in kinds:
        info = ACTIVATIONS[config.activation]
        function = (info.scratch or info.module).partition(":")[2]
        if info.scratch in formulas.ACTIVATIONS:
            sources += formulas.ACTIVATIONS[info.scratch]
        else:
            imports = (f"from {(info.scratch or info.module).partition(':')[0]} import {function}",)
            function = function if info.scratch else f"{function}()"
    sources += [formulas.CORR2D] if "convolution" in kinds else []
    sources += [formulas.POOL2D] if "pooling" in kinds else []
    sources += [formulas.DROPOUT] if "dropout" in kinds else []
    update = formulas.UPDATES.get(config.optimizer, formulas.UPDATES["sgd"])
    loss = [formulas.SQUARED_LOSS if config.task == "regression" else formulas.CROSS_ENTROPY]
    if config.weight_decay and config.optimizer != "adamw":
        loss.append(formulas.L2_PENALTY)
    optimizer = [formulas.GRAD_CLIPPING] if config.clip_norm else []
    optimizer.append(update.function.replace("{weight_decay!r}", repr(config.weight_decay)))
    made = _joined(optimizer)
    if config.optimizer not in formulas.UPDATES:
        made = [Line(f"# {config.optimizer} is another package's: from scratch, there is the book's SGD."), *made]
    if update.states:
        made += [Line(""), Line(""), Line(update.states)]
    if update.counts:
        made.append(Line("t = 0  # steps"))
    return Implementation(
        imports=imports,
        functions=_joined(sources),
        parameters=_parameters(layers, device),
        net=_net(config, layers, function),
        loss=_joined(loss),
        optimizer=made,
        step=_step(config, layers, update),
    )


def _joined(sources: list[str]) -> list[Line]:
    """Functions, with two empty lines between them."""
    lines: list[Line] = []
    for source in sources:
        lines += [*([Line(""), Line("")] if lines else []), *block(source)]
    return lines

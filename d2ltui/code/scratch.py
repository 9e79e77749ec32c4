"""The from-scratch implementation as code: tensors with gradients, and the book's formulas (sections 3.4, 4.4, 5.2)."""

from __future__ import annotations

from typing import NamedTuple

from d2ltui.code import formulas
from d2ltui.code.lines import Line, block, forward_lines
from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import RunConfig
from d2ltui.spec.models import image_shape
from d2ltui.spec.step_seen import NamedLayer, named_layers, of_layer

_MOVES = "param -= "  # how the line of an optimiser begins that moves a parameter


class Implementation(NamedTuple):
    """One of the two, in parts that follow one another."""

    imports: tuple[str, ...]
    functions: list[Line]  # formulas that the network is made of
    parameters: list[Line]
    net: list[Line]
    loss: list[Line]
    optimizer: list[Line]
    step: list[Line]


def _applied(layer: NamedLayer, config: RunConfig, function: str) -> str:
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


def _net(config: RunConfig, layers: list[NamedLayer], function: str) -> list[Line]:
    training = ", is_training=True" if config.dropout and any(layer.spec.kind == "dropout" for layer in layers) else ""
    lines = [Line(f"def net(X{training}):")]
    if any(layer.spec.kind == "convolution" for layer in layers):
        shape = ", ".join(map(str, image_shape(config.dataset_info)))
        lines.append(Line(f"    X = X.reshape(-1, {shape})", "forward", "input"))
    for layer in layers:
        applied, key = _applied(layer, config, function), of_layer(layer.spec.index)
        if layer is layers[-1]:
            lines.append(Line(f"    return {applied}", "forward", key))
        elif layer.spec.kind == "dropout":
            lines.append(Line("    if is_training:", "forward"))
            lines.append(Line(f"        {layer.after} = {applied}", "forward", key))
        else:
            lines.append(Line(f"    {layer.after} = {applied}", "forward", key))
    return lines


def _parameters(layers: list[NamedLayer], device: str) -> list[Line]:
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


def _step(config: RunConfig, layers: list[NamedLayer], update: formulas.Update) -> list[Line]:
    lines = [Line("def train_step(X, y):")]
    if update.counts:
        lines += [Line("    global t", "update"), Line("    t += 1", "update")]
    smoothed = f", label_smoothing={config.smoothing!r}" if config.smoothing else ""
    lines += [*forward_lines(config), Line(f"    l = loss(y_hat, y{smoothed})", "loss", "loss")]
    objective = "l"
    if config.weight_decay and config.optimizer != "adamw":
        weights = " + ".join(f"l2_penalty({layer.weight})" for layer in layers if layer.weight)
        lines.append(Line(f"    penalty = {weights}", "loss", "penalty"))
        objective = f"(l + {config.weight_decay!r} * penalty)"
    lines.append(Line(f"    {objective}.backward()", "backward", "backward"))
    if config.clip_norm:
        lines.append(Line(f"    grad_clipping(params, {config.clip_norm!r})", "update", "clip"))
    lines.append(Line(f"    {update.call.format(momentum=config.momentum)}", "update", "update"))
    return [*lines, Line("    return l.detach()")]


def scratch(config: RunConfig, device: str = "cpu") -> Implementation:
    """The implementation from scratch of a model that is a chain of layers."""
    layers = named_layers(catalogue.layer_plan(config))
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
    of_classes = formulas.SMOOTHED_CROSS_ENTROPY if config.smoothing else formulas.CROSS_ENTROPY
    loss = [formulas.SQUARED_LOSS if config.task == "regression" else of_classes]
    if config.weight_decay and config.optimizer != "adamw":
        loss.append(formulas.L2_PENALTY)
    optimizer = [formulas.GRAD_CLIPPING] if config.clip_norm else []
    optimizer.append(update.function.replace("{weight_decay!r}", repr(config.weight_decay)))
    made = [
        line._replace(phase="update", moment="update") if line.text.lstrip().startswith(_MOVES) else line
        for line in _joined(optimizer)
    ]
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

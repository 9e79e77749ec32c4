"""The concise implementation as code: torch.nn and torch.optim (sections 3.5, 4.5, 5.2)."""

from __future__ import annotations

from collections.abc import Collection

from d2ltui.code.lines import Line, block, forward_lines
from d2ltui.code.scratch import Implementation
from d2ltui.spec import catalogue
from d2ltui.spec.activations import ACTIVATIONS
from d2ltui.spec.config import RunConfig
from d2ltui.spec.models import image_shape
from d2ltui.spec.optimizers import OPTIMIZERS
from d2ltui.spec.step_seen import of_layer

_ONEDNN = """
def product(A, B, b=None):
    \"\"\"A Bᵀ + b by oneDNN, which computed it in the run: it rounds otherwise than MKL.\"\"\"
    return torch.ops.mkldnn._linear_pointwise(A, B, b, "none", [], "")

class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, X, W, b):
        ctx.save_for_backward(X, W)
        return product(X, W, b)

    @staticmethod
    def backward(ctx, gradient):
        X, W = ctx.saved_tensors
        gradient = gradient.contiguous()
        of_X = product(gradient, W.T) if ctx.needs_input_grad[0] else None
        return of_X, product(gradient.T, X.T), gradient.sum(0)

class OneDNNLinear(nn.Linear):
    def forward(self, X):
        return Product.apply(X, self.weight, self.bias)
"""


def _modules(config: RunConfig, onednn: Collection[int]) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """Imports, and each layer as torch.nn has it, with the key of its line."""
    plan = catalogue.layer_plan(config)
    imports: set[str] = set()
    made: list[tuple[str, str]] = []
    if any(spec.kind == "convolution" for spec in plan):
        made.append((f"nn.Unflatten(1, {image_shape(config.dataset_info)})", "input"))
    for spec in plan:
        if spec.kind == "linear":
            kind = "OneDNNLinear" if spec.index in onednn else "nn.Linear"
            layer = f"{kind}({spec.num_inputs}, {spec.num_outputs})"
        elif spec.kind == "convolution":
            padding = f", padding={spec.padding}" if spec.padding else ""
            layer = f"nn.Conv2d({spec.num_inputs}, {spec.num_outputs}, {spec.kernel}{padding})"
        elif spec.kind == "pooling":
            layer = f"nn.AvgPool2d({spec.kernel})"
        elif spec.kind == "flatten":
            layer = "nn.Flatten()"
        elif spec.kind == "dropout":
            layer = f"nn.Dropout({config.dropout!r})"
        else:
            module, _, name = ACTIVATIONS[config.activation].module.partition(":")
            if module != "torch.nn":
                imports.add(f"from {module} import {name}")
            layer = f"nn.{name}()" if module == "torch.nn" else f"{name}()"
        made.append((layer, of_layer(spec.index)))
    return tuple(sorted(imports)), made


def _net(modules: list[tuple[str, str]]) -> list[Line]:
    if len(modules) == 1:
        ((module, key),) = modules
        return [Line(f"net = nn.Sequential({module})", "forward", key)]
    return [
        Line("net = nn.Sequential("),
        *(Line(f"    {module},", "forward", key) for module, key in modules),
        Line(")"),
    ]


_START = """
with torch.no_grad():  # the numbers that the run began with
    for layer in net:
        if isinstance(layer, nn.Linear):
            W, b = init_params(layer.in_features, layer.out_features)
            layer.weight.copy_(W.T)
            layer.bias.copy_(b)
"""
_START_CONVOLUTION = """
        elif isinstance(layer, nn.Conv2d):
            K, b = init_params(layer.in_channels, layer.out_channels, layer.kernel_size[0])
            layer.weight.copy_(K)
            layer.bias.copy_(b)
"""


def optimizer_lines(config: RunConfig, *, fused: bool = False) -> tuple[tuple[str, ...], list[Line]]:
    """Imports, and what makes the run's optimiser. Weight decay concerns weights, not biases (section 3.7)."""
    spec = OPTIMIZERS[config.optimizer]
    module, _, name = spec.make.partition(":")
    imports = () if module == "torch.optim" else (f"from {module} import {name}",)
    made = f"torch.optim.{name}" if module == "torch.optim" else name
    options = "".join(f", {key}={value!r}" for key, value in spec.options.items())
    options += "".join(f", {key}={getattr(config, key)!r}" for key in spec.fields)
    if fused:
        options += ", fused=True"
    decays = config.optimizer == "adamw"  # by itself, where nothing is said
    if not config.weight_decay:
        decay = ", weight_decay=0" if decays else ""
        return imports, [Line(f"optimizer = {made}(net.parameters(), lr=lr{options}{decay})")]
    none = ', "weight_decay": 0' if decays else ""
    return imports, block(
        f"""
        weights = [param for param in net.parameters() if param.dim() > 1]
        biases = [param for param in net.parameters() if param.dim() == 1]
        optimizer = {made}(
            [{{"params": weights, "weight_decay": {config.weight_decay!r}}}, {{"params": biases{none}}}], lr=lr{options}
        )
        """
    )


def concise(
    config: RunConfig, device: str = "cpu", *, fused: bool = False, onednn: Collection[int] = ()
) -> Implementation:
    """The concise implementation of a model that is a chain of layers.

    `fused`: with the optimiser's fused kernel; `onednn`: the layers whose products oneDNN computes, by their index.
    """
    imports, modules = _modules(config, onednn)
    more, optimizer = optimizer_lines(config, fused=fused)
    start = block(_START)
    if any(module.startswith("nn.Conv2d") for module, _ in modules):
        start += [Line(line) for line in _START_CONVOLUTION.strip("\n").splitlines()]
    if device != "cpu":
        start.append(Line("net.to(device)"))
    return Implementation(
        imports=(*imports, *more),
        functions=block(_ONEDNN) if onednn else [],
        parameters=start,
        net=_net(modules),
        loss=loss_lines(config),
        optimizer=optimizer,
        step=step_lines(config),
    )


def loss_lines(config: RunConfig) -> list[Line]:
    """The loss: the mean of a batch; and that of smoothed labels, where they are trained on."""
    lines = [Line(f"loss = nn.{'MSELoss' if config.task == 'regression' else 'CrossEntropyLoss'}()")]
    if config.smoothing:
        lines.append(Line(f"smoothed_loss = nn.CrossEntropyLoss(label_smoothing={config.smoothing!r})"))
    return lines


def step_lines(config: RunConfig) -> list[Line]:
    """A training step."""
    step = [
        Line("def train_step(X, y):"),
        Line("    optimizer.zero_grad()", "forward"),
        *forward_lines(config),
        Line(f"    l = {'smoothed_loss' if config.smoothing else 'loss'}(y_hat, y)", "loss", "loss"),
        Line("    l.backward()", "backward", "backward"),
    ]
    if config.clip_norm:
        step.append(Line(f"    nn.utils.clip_grad_norm_(net.parameters(), {config.clip_norm!r})", "update", "clip"))
    return [*step, Line("    optimizer.step()", "update", "update"), Line("    return l.detach()")]

"""The whole script: data, model, loss, optimiser, loop and prediction, with both implementations."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence

from d2ltui.code.concise import concise
from d2ltui.code.data import data_of
from d2ltui.code.lines import AUTOCAST, Line, block, indented, text_of
from d2ltui.code.scratch import Implementation, scratch
from d2ltui.code.start import differs, init_params
from d2ltui.spec.catalogue import layer_plan
from d2ltui.spec.comparison import beside_concise
from d2ltui.spec.config import RunConfig
from d2ltui.spec.header import metric_title
from d2ltui.spec.models import MODELS
from d2ltui.spec.numbers import number
from d2ltui.spec.text import counted

_GAP = [Line(""), Line("")]

_SCHEDULES = {
    "step": "def schedule(epoch):\n    return 0.1 ** (epoch // {third})",
    "cosine": "def schedule(epoch):\n    return (1 + math.cos(math.pi * epoch / num_epochs)) / 2",
    "warmup": "def schedule(epoch):\n    if epoch < {warm}:\n        return 0.1 + 0.9 * epoch / {warm}\n"
    "    return (1 + math.cos(math.pi * (epoch - {warm}) / {rest})) / 2",
}


def script(
    config: RunConfig,
    name: str,
    *,
    device: str = "cpu",
    threads: int | None = None,
    outcome: str = "",
    lr_changes: Sequence[tuple[int, float]] = (),
) -> str:
    """Python that trains what the run `name` has trained, and comes to the same figures, without this program.

    `device` and `threads` are those that it was trained with, `outcome` says in a sentence what came of it, and
    `lr_changes` are the steps after which somebody has changed the learning rate, and to what.
    """
    from d2ltui.nn.accel.kernels import select_kernel, through_onednn
    from d2ltui.nn.seeds import derive_seed

    # A run's kernel rounds otherwise than another one, which is seen in the last digits of a long run.
    kind = device.partition(":")[0]
    fused = select_kernel(config.optimizer, kind) == "fused"
    onednn = through_onednn(config, layer_plan(config), kind)

    seeds = {use: derive_seed(config.seed, use) for use in ("data", "weights", "order", "dropout")}
    data = data_of(config, seeds["data"])
    two = {"scratch": scratch(config, device), "concise": concise(config, device, fused=fused, onednn=onednn)}
    starts = {which: init_params(config, which) for which in two}
    other = "scratch" if config.implementation == "concise" else "concise"

    info = config.dataset_info
    lines = _GAP + _heading(f"Data: {info.title}")
    lines[-1:] = [Line(f"# {info.description}; normalisation: {info.normalisation}"), Line("")]
    lines += block(data.text)
    if device != "cpu":
        lines.append(Line("X_train, y_train, X_val, y_val = (t.to(device) for t in (X_train, y_train, X_val, y_val))"))
    lines += [
        *_GAP,
        Line(f"order = torch.Generator().manual_seed({seeds['order']})"),
        *_GAP,
        *block(_DATA_ITER),
        *_GAP,
        *_heading("Model, loss and optimiser"),
        Line(f"generator = torch.Generator().manual_seed({seeds['weights']})  # of the initial weights"),
        *_hyperparameters(config),
    ]
    if not differs(config):
        lines += [*_GAP, *starts["concise"][1], *_GAP]
    lines += [
        Line('if implementation == "scratch":'),
        *indented(_whole(two["scratch"], starts["scratch"][1] if differs(config) else [])),
        Line("else:"),
        *indented(_whole(two["concise"], starts["concise"][1] if differs(config) else [])),
        *_GAP,
    ]
    lines += _rest(config, seeds["dropout"], lr_changes)
    lines += _prediction(config, name)
    body = text_of(lines)
    imports = {*data.imports, *two["scratch"].imports, *two["concise"].imports, *starts["concise"][0]}
    imports |= {"import sys", "import torch", "from torch import nn"}
    if "math." in body:
        imports.add("import math")
    head = _docstring(config, name, data.needs, outcome, other)
    setting = [f'implementation = sys.argv[1] if len(sys.argv) > 1 else "{config.implementation}"']
    if threads is not None and device == "cpu":
        setting.append(f"torch.set_num_threads({threads})  # as the run: another number adds in another order")
    if config.precision == "tf32":
        setting.append('torch.set_float32_matmul_precision("high")  # in TF32')
    elif device.startswith("cuda") and "nn.Conv2d" in body:
        setting.append("torch.backends.cudnn.allow_tf32 = False  # convolutions, which are otherwise in TF32")
    if device != "cpu":
        setting.append(f'device = torch.device("{device}")')
    return f"{head}\n{_sorted(imports)}\n\n" + "\n".join(setting) + "\n" + body


def _heading(title: str) -> list[Line]:
    return [Line(f"# {title}".rstrip()), Line("")]


def _sorted(imports: set[str]) -> str:
    """The standard library's first, then the others', as one writes them."""

    def module(line: str) -> str:
        return line.split()[1]

    groups: list[list[str]] = [[], []]
    for line in sorted(imports, key=lambda line: (line.startswith("from"), module(line))):
        groups[module(line).partition(".")[0] not in sys.stdlib_module_names].append(line)
    return "\n\n".join("\n".join(group) for group in groups if group)


def _docstring(config: RunConfig, name: str, needs: str, outcome: str, other: str) -> str:
    model = MODELS[config.model]
    words = {"concise": "concise", "scratch": "from scratch"}
    said = [f"{model.title} on {config.dataset}, {words[config.implementation]} (section {model.section} of the book)."]
    said.append(
        f"This is {name}, a run of d2ltui, as Dive into Deep Learning would write it. It needs PyTorch"
        + (f" and {needs}." if needs else " alone.")
    )
    said.append(f"{outcome} This script prints the same." if outcome else "")
    said.append(
        f"`python FILE {other}` trains the other implementation, which is in this file, too. "
        f"From scratch: {beside_concise(config)}."
    )
    body = "\n\n".join(
        textwrap.fill(text, 116, break_long_words=False, break_on_hyphens=False) for text in said if text
    )
    return f'"""{body}\n"""\n'


def _hyperparameters(config: RunConfig) -> list[Line]:
    lr, by_schedule = f"lr = {config.lr!r}", config.schedule != "constant" and config.epochs > 1
    lines = [Line(f"num_epochs, batch_size = {config.epochs}, {config.batch_size}"), Line(lr)]
    if by_schedule:
        warm = max(1, config.epochs // 10)
        text = _SCHEDULES[config.schedule].format(
            third=max(1, -(-config.epochs // 3)), warm=warm, rest=max(1, config.epochs - warm)
        )
        lines[-1] = Line(f"highest_lr = lr = {config.lr!r}")
        lines += [*_GAP, *block(text)]
        if not differs(config):
            return lines
        lines += _GAP
    return lines


def _whole(parts: Implementation, start: list[Line]) -> list[Line]:
    """One implementation, from its first function to its step."""
    lines: list[Line] = []
    groups = (parts.functions, start, parts.net, parts.parameters, parts.loss, parts.optimizer, parts.step)
    if parts.net[0].text.startswith("def "):  # a function, which needs its parameters when it is called
        groups = (parts.functions, start, parts.parameters, parts.net, parts.loss, parts.optimizer, parts.step)
    for group in groups:
        if group:
            lines += [*([Line("")] if lines else []), *(line for line in _close(group))]
    return lines


def _close(lines: Sequence[Line]) -> list[Line]:
    """With one empty line between functions, as they stand inside of something."""
    kept: list[Line] = []
    for line in lines:
        if line.text or not kept or kept[-1].text:
            kept.append(line)
    return kept


_DATA_ITER = '''
def data_iter(batch_size, features, labels):
    """One epoch: every sample once, in random order, in batches."""
    for batch in torch.randperm(len(features), generator=order).to(features.device).split(batch_size):
        yield features[batch], labels[batch]
'''

_EVALUATE = '''
@torch.no_grad()
def evaluate(features, labels):
    """The mean loss, and {metric}."""
    total = score = 0.0
    for X, y in zip(features.split(1000), labels.split(1000)):
        y_hat = {predict}
        total += float(loss(y_hat, y)) * len(y)
        {score}
    return total / len(labels), {returned}
'''


def _drops(config: RunConfig) -> bool:
    return bool(config.dropout) and "dropout" in MODELS[config.model].fields


def _predicts(config: RunConfig) -> bool:
    """Whether the network is not simply called where nothing is trained."""
    return _drops(config) or config.precision == "bf16"


def _predict(config: RunConfig) -> list[Line]:
    """What is called instead."""
    if config.precision != "bf16":
        return block(_PREDICT)
    return block((_PREDICT_LOWER_DROPS if _drops(config) else _PREDICT_LOWER).format(context=AUTOCAST))


def _rest(config: RunConfig, seed: int, lr_changes: Sequence[tuple[int, float]]) -> list[Line]:
    """Evaluation and the loop."""
    drops = _drops(config)
    classes = config.task == "classification"
    lines = _heading("Training")
    lines += block(
        _EVALUATE.format(
            metric="the accuracy" if classes else "R²",
            predict="predict(X)" if _predicts(config) else "net(X)",
            score="score += int((y_hat.argmax(dim=1) == y).sum())"
            if classes
            else "score += float(((y_hat - y) ** 2).sum())",
            returned="score / len(labels)"
            if classes
            else "1 - score / len(labels) / float(labels.cpu().double().var(correction=0))",
        )
    )
    if _predicts(config):
        lines[0:0] = _predict(config) + _GAP
    if drops:
        lines += [*_GAP, Line(f"torch.manual_seed({seed})  # dropout draws from PyTorch's own generator")]
    else:
        lines += _GAP
    if lr_changes:
        lines.append(Line(f"lr_changes = {dict(lr_changes)!r}  # by hand: after which step, and to what"))
        lines.append(Line("step = 0"))
    lines.append(Line("for epoch in range(num_epochs):"))
    by_schedule = config.schedule != "constant" and config.epochs > 1
    rate = "highest_lr" if by_schedule else "lr"
    if by_schedule:
        lines += indented(block(_SET_LR.format(rate="highest_lr * schedule(epoch)")))
    lines.append(Line("    total = 0.0"))
    lines.append(Line("    for X, y in data_iter(batch_size, X_train, y_train):"))
    if lr_changes:
        lines.append(Line("        if step in lr_changes:"))
        if by_schedule:
            lines.append(Line(f"            {rate} = lr_changes[step]"))
        changed = f"{rate} * schedule(epoch)" if by_schedule else "lr_changes[step]"
        lines += indented(block(_SET_LR.format(rate=changed)), 12)
        lines.append(Line("        step += 1"))
    name = metric_title(classes)
    lines += [
        Line("        total += float(train_step(X, y)) * len(y)"),
        Line("    train_loss = total / len(y_train)"),
        Line(f"    val_loss, {'val_accuracy' if classes else 'val_r2'} = evaluate(X_val, y_val)"),
        Line(
            "    print("
            'f"epoch {epoch + 1}: train loss {train_loss:.4g}, val loss {val_loss:.4g}, '
            f'val {name} {{{"val_accuracy" if classes else "val_r2"}:.4f}}")'
        ),
    ]
    return lines


_SET_LR = """
lr = {rate}
if implementation == "concise":
    for group in optimizer.param_groups:
        group["lr"] = lr
"""
_PREDICT = '''
def predict(X):
    """The outputs without dropout."""
    if implementation == "scratch":
        return net(X, is_training=False)
    net.eval()
    y_hat = net(X)
    net.train()
    return y_hat
'''


_PREDICT_LOWER = """
def predict(X):
    with {context}:
        return net(X).float()
"""
_PREDICT_LOWER_DROPS = '''
def predict(X):
    """The outputs without dropout."""
    with {context}:
        if implementation == "scratch":
            return net(X, is_training=False).float()
        net.eval()
        y_hat = net(X).float()
        net.train()
    return y_hat
'''


def _prediction(config: RunConfig, name: str) -> list[Line]:
    call = "predict" if _predicts(config) else "net"
    info = config.dataset_info
    lines = [
        *_GAP,
        *_heading("Prediction"),
        Line("# Concise, with the run's own weights instead of those that were trained here:"),
        Line(f"# d2ltui export {name} --weights -o weights.pt"),
        Line('# net.load_state_dict(torch.load("weights.pt", weights_only=True))'),
        Line("with torch.no_grad():"),
        Line(f"    y_hat = {call}(X_val[:8])"),
    ]
    if config.task == "regression":
        lines += [
            Line('print("predicted:", y_hat.flatten().tolist())'),
            Line('print("true:     ", y_val[:8].flatten().tolist())'),
        ]
        if config.model == "linear" and info.name == "synthetic-linear":
            lines += block(
                """
                w, b = (W, b) if implementation == "scratch" else (net[0].weight.T, net[0].bias)
                print("w:", w.flatten().tolist(), "instead of", true_w.flatten().tolist())
                print("b:", b.item(), "instead of", true_b.item())
                """
            )
        return lines
    names = [json.dumps(name, ensure_ascii=False) for name in info.classes]
    classes = ", ".join(names)
    made = "\n".join(_rows(names))
    named = [Line(f"classes = [{classes}]")]
    if len(named[0].text) > 120:
        named = [Line("classes = ["), *indented(block(made)), Line("]")]
    return [
        *lines,
        *named,
        Line('print("predicted:", [classes[i] for i in y_hat.argmax(dim=1).tolist()])'),
        Line('print("true:     ", [classes[i] for i in y_val[:8].tolist()])'),
    ]


def _rows(items: Sequence[str], width: int = 112) -> list[str]:
    """`items` with commas between them, in rows of at most `width` characters where they allow that."""
    rows = [""]
    for item in items:
        if rows[-1] and len(rows[-1]) + len(item) + 2 > width:
            rows.append("")
        rows[-1] += f" {item}," if rows[-1] else f"{item},"
    return rows


def ended(status: str, epochs: int, planned: int, losses: tuple[float, float], metric: tuple[str, float]) -> str:
    """The sentence about what came of the run, with the digits that the script prints.

    `losses` are the train and the validation loss, `metric` is the name and the value of the other figure.
    """
    train_loss, val_loss = losses
    said = (
        f"After {counted(epochs, 'epoch')} the run had a train loss of {number(train_loss, 4)}, a validation loss of "
        f"{number(val_loss, 4)} and a validation {metric[0]} of {number(metric[1], 4)}."
    )
    return said if epochs == planned else f"{said[:-1]}; it was to train {planned}, and is {status}."

"""Pictures of images: samples with their predictions, the worst mistakes, confusions, and what a first layer sees."""

from __future__ import annotations

import torch
from torch import Tensor

from d2ltui.pictures.planes import page_start
from d2ltui.pictures.subject import Subject, to_numpy
from d2ltui.spec.language import _
from d2ltui.spec.models import image_shape
from d2ltui.spec.numbers import whole_percent
from d2ltui.spec.pictures import Confusion, Images, Maps, PictureRequest

CAPTIONS = 2  # pixels: a line of text


def samples(subject: Subject, request: PictureRequest) -> Images:
    """Validation samples, as they come."""
    return _images(subject, request, torch.arange(len(subject.x_val), device=subject.device), None)


def mistakes(subject: Subject, request: PictureRequest) -> Images:
    """Those that are mistaken, the one with the largest loss first."""
    logits = subject.outputs(subject.x_val).float()
    losses = torch.nn.functional.cross_entropy(logits, subject.y_val, reduction="none")
    wrong = logits.argmax(1) != subject.y_val
    order = torch.argsort(losses, descending=True)
    return _images(subject, request, order[wrong[order]], logits)


def confusion(subject: Subject, request: PictureRequest) -> Confusion:
    """How often each class was taken for which."""
    # Not scikit-learn's: its import takes a second or two, and the training waits for this.
    classes = subject.info.num_outputs
    predicted = subject.outputs(subject.x_val).argmax(1)
    counts = torch.bincount((subject.y_val * classes + predicted).cpu(), minlength=classes**2)
    note = _("{samples:,} validation samples").format(samples=len(predicted))
    return Confusion(counts.reshape(classes, classes).numpy(), subject.info.classes, note)


def weights(subject: Subject, request: PictureRequest) -> Maps:
    """The weights of each unit of the first layer, in the shape of its inputs; or a convolution's kernels."""
    spec, weight, __ = subject.network.weights()[0]
    if spec.kind == "convolution":
        maps = weight.mean(1)  # over the channels
        said, name = _("{total:,} kernels: the weights of {layer}"), _("kernel {number}")
    else:
        maps = weight.T.reshape(-1, *image_shape(subject.info)).mean(1)
        said, name = _("{total:,} units: the weights of {layer}"), _("unit {number}")
    total, height, width = maps.shape
    room = _room(request, height, width)
    first = page_start(request.choice, room, total)
    shown = maps[first : first + room]
    captions = tuple(name.format(number=first + index + 1) for index in range(len(shown)))
    return Maps(to_numpy(shown), captions, first, total, said.format(total=total, layer=spec.title))


def _room(request: PictureRequest, height: int, width: int) -> int:
    """How many images have room, each with a column between it and the next and a line of text below."""
    rows = height + height % 2 + CAPTIONS
    return max(1, (request.width + 1) // (width + 1)) * max(1, request.height // rows)


def _images(subject: Subject, request: PictureRequest, order: Tensor, logits: Tensor | None) -> Images:
    channels, height, width = image_shape(subject.info)
    room = _room(request, height, width)
    first = page_start(request.choice, room, len(order))
    chosen = order[first : first + room]
    x, labels = subject.x_val[chosen], subject.y_val[chosen]
    of_these = logits[chosen] if logits is not None else subject.outputs(x).float() if len(x) else x
    captions, wrong = _captions(subject, of_these, labels)
    pixels = (x.clamp(0, 1) * 255).round().to("cpu", torch.uint8)
    total = len(order)
    of = _("{samples:,} validation samples").format(samples=len(subject.x_val))
    note = (
        _("{total:,} mistakes in {samples}, the largest loss first").format(total=total, samples=of)
        if logits is not None
        else of
    )
    shaped = pixels.reshape(-1, channels, height, width).permute(0, 2, 3, 1).contiguous().numpy()
    return Images(shaped, captions, wrong, first, total, note)


def _captions(subject: Subject, logits: Tensor, labels: Tensor) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """`label→prediction probability` of each; the label alone where it is right."""
    if not len(labels):
        return (), ()
    probabilities, predicted = torch.softmax(logits, 1).max(1)
    names = subject.info.classes
    captions, wrong = [], []
    for label, guess, share in zip(labels.tolist(), predicted.tolist(), probabilities.tolist(), strict=True):
        percent = whole_percent(share)
        captions.append(f"{names[label]}→{names[guess]} {percent}" if label != guess else f"{names[label]} {percent}")
        wrong.append(label != guess)
    return tuple(captions), tuple(wrong)

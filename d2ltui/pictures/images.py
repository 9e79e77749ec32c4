"""Pictures of images: samples with their predictions, the worst mistakes, confusions, and what a first layer sees."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from d2ltui.pictures.planes import page_start
from d2ltui.pictures.subject import Subject, largest, to_numpy
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
    return Confusion(counts.reshape(classes, classes).numpy(), subject.info.named, note)


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
    numbers = range(first + 1, first + len(shown) + 1)
    captions = tuple(name.format(number=index) for index in numbers)
    note = said.format(total=total, layer=spec.title)
    return Maps(to_numpy(shown), captions, first, total, note, tuple(map(str, numbers)), largest(maps))


def features(subject: Subject, request: PictureRequest) -> Maps:
    """The feature maps of one sample, the outputs of each convolution: page after page, layer after layer."""
    found = [
        (spec, output[0]) for spec, output in subject.network.trace(subject.x_val[:1]) if spec.kind == "convolution"
    ]
    rooms = [_room(request, *maps.shape[1:]) for _, maps in found]
    pages = [-(-len(maps) // room) for (_, maps), room in zip(found, rooms, strict=True)]
    page, at = request.choice % sum(pages), 0
    while page >= pages[at]:
        page, at = page - pages[at], at + 1
    (spec, maps), room = found[at], rooms[at]
    shown = maps[page * room : (page + 1) * room]
    numbers = tuple(str(page * room + index + 1) for index in range(len(shown)))
    note = _("{total:,} feature maps of {layer} ({label})").format(
        total=len(maps), layer=spec.title, label=subject.info.named[int(subject.y_val[0])]
    )
    captions = tuple(_("map {number}").format(number=number) for number in numbers)
    return Maps(to_numpy(shown), captions, page * room, len(maps), note, numbers, largest(maps))


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
    captions, short, wrong = _captions(subject, of_these, labels)
    pixels = (x.clamp(0, 1) * 255).round().to("cpu", torch.uint8)
    total = len(order)
    of = _("{samples:,} validation samples").format(samples=len(subject.x_val))
    note = (
        _("{total:,} mistakes in {samples}, the largest loss first").format(total=total, samples=of)
        if logits is not None
        else of
    )
    shaped = pixels.reshape(-1, channels, height, width).permute(0, 2, 3, 1).contiguous().numpy()
    return Images(shaped, captions, wrong, first, total, note, short, _key(captions, short, wrong))


def _captions(
    subject: Subject, logits: Tensor, labels: Tensor
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[bool, ...]]:
    """`label→prediction probability` of each, the label alone where it is right; the same without the probability."""
    if not len(labels):
        return (), (), ()
    probabilities, predicted = torch.softmax(logits, 1).max(1)
    names = subject.info.named
    short, shares, wrong = [], [], []
    for label, guess, share in zip(labels.tolist(), predicted.tolist(), probabilities.tolist(), strict=True):
        short.append(f"{names[label]}→{names[guess]}" if label != guess else names[label])
        shares.append(whole_percent(share))
        wrong.append(label != guess)
    return tuple(map(" ".join, zip(short, shares, strict=True))), tuple(short), tuple(wrong)


def _key(captions: Sequence[str], short: Sequence[str], wrong: Sequence[bool]) -> tuple[str, ...]:
    """How to read the captions of mistakes: the first one in words; and what stands where in any of them."""
    first = next((number for number, mistaken in enumerate(wrong) if mistaken), None)
    if first is None:
        return ()
    label, _arrow, guess = short[first].partition("→")
    share = captions[first].removeprefix(short[first]).strip()
    said = _("{caption}: label {label}, predicted {guess}, {share} sure")
    return (
        said.format(caption=captions[first], label=label, guess=guess, share=share),
        _("label→predicted, how sure"),
        _("label→predicted"),
    )

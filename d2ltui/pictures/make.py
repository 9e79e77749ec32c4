"""One picture, as it was asked for."""

from __future__ import annotations

from collections.abc import Callable

from d2ltui.pictures import activation, images, planes, softmax
from d2ltui.pictures.subject import Subject
from d2ltui.spec.pictures import Picture, PictureMade, PictureRequest

_MAKERS: dict[str, Callable[[Subject, PictureRequest], Picture]] = {
    "regions": planes.regions,
    "surface": planes.surface,
    "fit": planes.fit,
    "units": planes.units,
    "samples": images.samples,
    "mistakes": images.mistakes,
    "confusion": images.confusion,
    "weights": images.weights,
    "features": images.features,
    "softmax": softmax.steps,
    "activation": activation.of_layer,
}


def make(subject: Subject, request: PictureRequest, step: int, *, alone: bool = False) -> PictureMade:
    """The picture of `subject`, which has been trained for `step` steps. `alone`: see `Subject.at_rest`.

    Raises:
        Exception: whatever the network, or a library, raises.
    """
    with subject.at_rest(alone=alone):
        picture = _MAKERS[request.kind](subject, request)
    return PictureMade(request, step, picture)

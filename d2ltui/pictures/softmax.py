"""Softmax of one sample, step by step: naive, and without overflow (section 4.5)."""

from __future__ import annotations

import torch

from d2ltui.nn.functional import naive_softmax, softmax
from d2ltui.pictures.subject import Subject, to_numpy
from d2ltui.spec.pictures import PictureRequest, SoftmaxSteps


def steps(subject: Subject, request: PictureRequest) -> SoftmaxSteps:
    """The logits of a validation sample, their exponentials, and the probabilities, in single precision."""
    total = len(subject.x_val)
    sample = request.choice % total
    logits = subject.outputs(subject.x_val[sample : sample + 1]).float()[0]
    shifted = logits - logits.max()
    return SoftmaxSteps(
        logits=to_numpy(logits),
        naive_exp=to_numpy(torch.exp(logits)),
        naive=to_numpy(naive_softmax(logits)),
        shifted=to_numpy(shifted),
        exp=to_numpy(torch.exp(shifted)),
        probabilities=to_numpy(softmax(logits)),
        names=subject.info.named,
        label=int(subject.y_val[sample]),
        sample=sample,
        total=total,
    )

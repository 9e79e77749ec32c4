"""What a layer is, before it is built and wherever it was built."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import msgspec

LayerKind: TypeAlias = Literal["linear", "convolution", "activation", "dropout", "pooling", "flatten", "other"]


class LayerSpec(msgspec.Struct, frozen=True):
    """One layer of a network. `index` counts from 1, as a reader does.

    `num_inputs` and `num_outputs` count numbers of a sample in a linear layer, channels in a convolution; the outputs
    are the layer's units. `output_shape` is a sample's, where it is more than its units. `kernel` and `padding`, in
    pixels, are a convolution's or a pooling's.
    """

    index: int
    kind: LayerKind
    name: str
    num_inputs: int
    num_outputs: int
    parameters: int
    output_shape: tuple[int, ...] = ()
    kernel: int = 0
    padding: int = 0

    @property
    def title(self) -> str:
        """How a learner reads it: `Linear 784→256`, `ReLU`, `Conv 5×5 1→6`."""
        if self.kind in ("linear", "convolution"):
            return f"{self.name} {self.num_inputs}→{self.num_outputs}"
        return self.name

    @property
    def num_values(self) -> int:
        """The numbers in its output for one sample."""
        return math.prod(self.output_shape) if self.output_shape else self.num_outputs

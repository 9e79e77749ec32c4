"""Several networks of one shape as one: their weights are stacked, and each product is a batched one.

What a small network's step costs is mostly the calls into PyTorch; a hundred networks need as many calls as one. No
network sees anything of another: neither forward nor backward does anything cross from one index to the next.

The gradients are written out, with the same derivatives of the activations that autograd takes: a chain of linear
layers needs no graph, and every result is written into memory of its own, which a CUDA graph asks for, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from d2ltui.nn.activation_slopes import Slope, slope_of
from d2ltui.nn.init import initial_parameters
from d2ltui.nn.seeds import derive_seed
from d2ltui.spec.config import RunConfig
from d2ltui.spec.layers import LayerSpec

KINDS = ("linear", "activation", "dropout")  # of layers that can be stacked
# Layers of up to NARROW units, with TAPERS times as many inputs, are multiplied transposed on a CPU: batched products
# with a long row for each unit take a half to a fifth of the time of those with a short row for each sample.
NARROW, TAPERS = 16, 2


class _Part(NamedTuple):
    """A linear layer with what follows it: views of the flat parameters and gradients, P networks each."""

    weight: Tensor  # (P, n_in, n_out)
    bias: Tensor  # (P, 1, n_out)
    weight_gradient: Tensor  # (P, n_in, n_out)
    bias_gradient: Tensor  # (P, n_out)
    active: bool  # whether the activation follows
    drops: bool  # whether dropout does
    narrow: bool  # whether its products are taken transposed


class _Buffers(NamedTuple):
    """Memory for one size of batch, an entry for each linear layer: (P, n, n_out)."""

    outputs: list[Tensor]
    activated: list[Tensor]
    dropped: list[Tensor]
    masks: list[Tensor]
    gradients: list[Tensor]
    turned: list[Tensor]  # (P, n_out, n) of a narrow layer
    turned_weights: list[Tensor]  # (P, n_out, n_in)


class BatchedNetwork:
    """P networks of one plan, each with the initial weights of its own configuration.

    `parameters` and `gradients` are flat: one layer after the other, and in each all networks' weights, then all their
    biases. `segments` are the shapes (P, numbers) of those parts, in that order.

    Args:
        configs: of the networks, which differ in nothing that their shape depends on.
        plan: their layers, all of `KINDS`.
        dtype, device: of all tensors.
    """

    def __init__(
        self,
        configs: Sequence[RunConfig],
        plan: Sequence[LayerSpec],
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        config = configs[0]
        self.plan = tuple(plan)
        self.size = len(configs)
        self._scratch = config.implementation == "scratch"
        self._regression = config.task == "regression"
        self._slope: Slope = slope_of(config.activation)
        drawn = [initial_parameters(one, plan) for one in configs]
        tensors = [torch.stack(part) for pairs in zip(*drawn, strict=True) for part in zip(*pairs, strict=True)]
        self.parameters = torch.cat([part.flatten() for part in tensors]).to(device, dtype)
        self._shapes = [tuple(part.shape[1:]) for part in tensors]
        self._dropout = [one.dropout for one in configs]
        self._smoothing = [one.smoothing for one in configs]
        self._generators = [torch.Generator().manual_seed(derive_seed(one.seed, "dropout")) for one in configs]
        self._lay_out()

    def _lay_out(self) -> None:
        """Views of the flat tensors, for as many networks as there are now."""
        self.gradients = torch.zeros_like(self.parameters)
        self.segments = [(self.size, torch.Size(shape).numel()) for shape in self._shapes]
        values, slopes = (
            [part.view(self.size, *shape) for part, shape in zip(self.rows(flat), self._shapes, strict=True)]
            for flat in (self.parameters, self.gradients)
        )
        kinds = [spec.kind for spec in self.plan]
        self._parts = []
        linear = [index for index, kind in enumerate(kinds) if kind == "linear"]
        for i, index in enumerate(linear):
            follows = kinds[index + 1 : linear[i + 1] if i + 1 < len(linear) else len(kinds)]
            weight, bias = values[2 * i], values[2 * i + 1].unsqueeze(1)
            active, drops = "activation" in follows, "dropout" in follows
            __, n_in, n_out = weight.shape
            narrow = self.parameters.device.type == "cpu" and n_out <= NARROW and n_in >= TAPERS * max(n_out, 8)
            self._parts.append(_Part(weight, bias, slopes[2 * i], slopes[2 * i + 1], active, drops, narrow))
        self._buffers: dict[int, _Buffers] = {}
        keep = torch.tensor(self._dropout, dtype=self.parameters.dtype, device=self.parameters.device)
        self._kept = (1 - keep).view(-1, 1, 1)
        self._spread = keep.new_tensor(self._smoothing)

    @property
    def smooths(self) -> bool:
        """Whether any network is trained with smoothed labels: `loss` is then another than that of training."""
        return any(self._smoothing)

    @property
    def drops(self) -> bool:
        """Whether there is dropout, which each network draws from a generator of its own, on the CPU."""
        return any(part.drops for part in self._parts)

    def keep(self, index: Tensor) -> None:
        """Go on with the networks `index` (k,), in that order, alone."""
        places = index.to(self.parameters.device)
        self.parameters = self.select(self.parameters, places)
        chosen = index.tolist()
        self.size = len(chosen)
        self._dropout = [self._dropout[i] for i in chosen]
        self._smoothing = [self._smoothing[i] for i in chosen]
        self._generators = [self._generators[i] for i in chosen]
        self._lay_out()

    def rows(self, flat: Tensor) -> list[Tensor]:
        """Views of `flat`, which is laid out as the parameters are: (P, numbers) for each of `segments`."""
        parts = torch.split(flat, [rows * columns for rows, columns in self.segments])
        return [part.view(shape) for part, shape in zip(parts, self.segments, strict=True)]

    def select(self, flat: Tensor, index: Tensor) -> Tensor:
        """What belongs to the networks `index` (k,) of `flat`, which is laid out as the parameters are."""
        return torch.cat([part.index_select(0, index).flatten() for part in self.rows(flat)])

    def spread(self, values: Tensor, *, biases: bool = True) -> Tensor:
        """A number for each network (P,) as one for each of its parameters, flat; 0 for biases where they have none."""
        parts = []
        for shape, (rows, columns) in zip(self._shapes, self.segments, strict=True):
            part = values.view(rows, 1).expand(rows, columns)
            parts.append(part if biases or len(shape) > 1 else torch.zeros_like(part))
        return torch.cat([part.flatten() for part in parts]).to(self.parameters)

    def of_member(self, flat: Tensor, member: int) -> list[Tensor]:
        """Of `flat`, laid out as the parameters are: weight (n_in, n_out), bias (n_out,) of each layer of a network."""
        return [part[member].view(shape) for part, shape in zip(self.rows(flat), self._shapes, strict=True)]

    def random_state(self, member: int) -> Tensor:
        """Of the generator that a network's dropout draws from."""
        return self._generators[member].get_state()

    # Forward

    def forward(self, x: Tensor) -> Tensor:
        """Logits or predictions (P, n, num_outputs) of x (P, n, num_inputs), or (1, n, num_inputs) for all alike.

        Without dropout, and in memory of its own.
        """
        h = self._for_all(x)
        for part in self._parts:
            h = torch.baddbmm(part.bias, h, part.weight)
            if part.active:
                h = self._slope.into(h, h if self._slope.in_place else torch.empty_like(h))
        return h

    def trace(self, x: Tensor) -> list[Tensor]:
        """The same pass: the output of each layer of the plan but dropout's, in order."""
        found = []
        h = self._for_all(x)
        for part in self._parts:
            h = torch.baddbmm(part.bias, h, part.weight)
            found.append(h)
            if part.active:
                h = self._slope.function(h)
                found.append(h)
        return found

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """The mean loss of each network, (P,), of outputs (P, n, q) and labels (P, n) or targets (P, n, 1); P or 1.

        Of labels as they are, smoothed in training or not.
        """
        if self._regression:
            found = (output - y).square_().mean(dim=(1, 2))
            return found / 2 if self._scratch else found
        labels = y.expand(len(output), -1).unsqueeze(2)
        return -torch.log_softmax(output, dim=2).gather(2, labels).mean(dim=(1, 2))

    def _for_all(self, x: Tensor) -> Tensor:
        return x.expand(self.size, *x.shape[1:]) if len(x) < self.size else x

    # Training

    def loss_and_gradients(self, x: Tensor, y: Tensor, *, dropout: bool = True) -> tuple[Tensor, Tensor]:
        """The training loss of each network, (P,), and its outputs (P, n, q); `gradients` become those of the losses.

        `x` is (P, n, num_inputs), or (1, n, num_inputs) for all alike; `y` (P, n) or (P, n, 1), or 1 instead of P.
        Both results are overwritten by the next call with as many samples.
        """
        n = x.shape[1]
        buffers = self._buffers.get(n) or self._make_buffers(n)
        inputs = [h := self._for_all(x)]
        for i, part in enumerate(self._parts):
            if part.narrow:
                turned = torch.baddbmm(part.bias.mT, part.weight.mT, h.mT, out=buffers.turned[i])
                h = buffers.outputs[i].copy_(turned.mT)
            else:
                h = torch.baddbmm(part.bias, h, part.weight, out=buffers.outputs[i])
            if part.active:
                h = self._slope.into(h, buffers.activated[i])
            if part.drops and dropout:
                self._draw(buffers.masks[i])
                h = torch.mul(h, buffers.masks[i], out=buffers.dropped[i])
            inputs.append(h)
        loss = self._differentiate(h, y, buffers.gradients[-1])
        for i in range(len(self._parts) - 1, -1, -1):
            part, gradient = self._parts[i], buffers.gradients[i]
            if part.narrow:
                turned = buffers.turned[i].copy_(gradient.mT)
                part.weight_gradient.copy_(torch.bmm(turned, inputs[i], out=buffers.turned_weights[i]).mT)
            else:
                torch.bmm(inputs[i].mT, gradient, out=part.weight_gradient)
            torch.sum(gradient, dim=1, out=part.bias_gradient)
            if i > 0:
                before, back = self._parts[i - 1], buffers.gradients[i - 1]
                torch.bmm(gradient, part.weight.mT, out=back)
                if before.drops and dropout:
                    back.mul_(buffers.masks[i - 1])
                if before.active:
                    self._slope.back(back, buffers.outputs[i - 1], buffers.activated[i - 1])
        return loss, h

    def memory(self) -> list[Tensor]:
        """That in which batches are computed now."""
        return [tensor for buffers in self._buffers.values() for part in buffers for tensor in part]

    def forget(self, n: int) -> None:
        """Give back the memory for batches of `n` samples, which a look has used."""
        self._buffers.pop(n, None)

    def _make_buffers(self, n: int) -> _Buffers:
        def make(part: _Part, wanted: bool = True) -> Tensor:
            return self.parameters.new_empty((self.size, n, part.weight.shape[2]) if wanted else (0,))

        def turn(part: _Part, rows: int) -> Tensor:
            return self.parameters.new_empty((self.size, part.weight.shape[2], rows) if part.narrow else (0,))

        outputs = [make(part) for part in self._parts]
        in_place = self._slope.in_place
        self._buffers[n] = made = _Buffers(
            outputs=outputs,
            activated=[
                output if in_place else make(part, part.active)
                for part, output in zip(self._parts, outputs, strict=True)
            ],
            dropped=[make(part, part.drops) for part in self._parts],
            masks=[make(part, part.drops) for part in self._parts],
            gradients=[make(part) for part in self._parts],
            turned=[turn(part, n) for part in self._parts],
            turned_weights=[turn(part, part.weight.shape[1]) for part in self._parts],
        )
        return made

    def _differentiate(self, output: Tensor, y: Tensor, gradient: Tensor) -> Tensor:
        """The training losses (P,); their gradient with respect to `output` (P, n, q) goes into `gradient`."""
        n = output.shape[1]
        if self._regression:
            torch.sub(output, y, out=gradient)
            loss = gradient.square().sum(dim=(1, 2)).mul_(0.5 / n if self._scratch else 1 / n)
            gradient.mul_(1 / n if self._scratch else 2 / n)
            return loss
        labels = y.expand(len(output), -1).unsqueeze(2)
        if self._parts[-1].narrow:
            gradient.copy_(torch.log_softmax(output.mT.contiguous(), dim=1).mT)
        else:
            torch.log_softmax(output, dim=2, out=gradient)
        loss = gradient.gather(2, labels).sum(dim=(1, 2)).mul_(-1 / n)
        if not self.smooths:
            gradient.exp_()
            gradient.scatter_add_(2, labels, gradient.new_full((), -1.0).expand(labels.shape))
            gradient.mul_(1 / n)
            return loss
        spread = self._spread
        loss = (1 - spread) * loss - spread * gradient.mean(dim=(1, 2))
        gradient.exp_()
        gradient.sub_((spread / gradient.shape[2]).view(-1, 1, 1))
        gradient.scatter_add_(2, labels, (spread - 1).view(-1, 1, 1).expand(labels.shape))
        gradient.mul_(1 / n)
        return loss

    def _draw(self, masks: Tensor) -> None:
        """What each network's own dropout would draw: factors 0 and 1 / (1 − p) into `masks` (P, n, n_out)."""
        for mask, generator, p in zip(masks, self._generators, self._dropout, strict=True):
            if mask.device.type != "cpu":
                mask.copy_(_mask(torch.empty(mask.shape, dtype=mask.dtype), generator, p, self._scratch))
            else:
                _mask(mask, generator, p, self._scratch)
        masks.div_(self._kept)


def _mask(mask: Tensor, generator: torch.Generator, p: float, scratch: bool) -> Tensor:
    """0 or 1 for each number, drawn as `functional.dropout` or `nn.Dropout` do."""
    return mask.uniform_(generator=generator).ge_(p) if scratch else mask.bernoulli_(1 - p, generator=generator)

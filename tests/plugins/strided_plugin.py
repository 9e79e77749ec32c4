"""A model of another package, in one file: a network of convolutions with batch normalisation (sections 7.6, 8.5)."""

from __future__ import annotations

from d2ltui.spec.models import COMMON, ModelSpec, Plan, image_shape

CHANNELS = (8, 16)


def plan(config, data):  # type: ignore[no-untyped-def]
    """What the form shows of it."""
    layers = Plan(config, image_shape(data))
    for channels in CHANNELS:
        layers.convolution(channels, kernel=3, padding=1)
        layers.activation()
        layers.average_pooling(2)
    layers.flatten()
    layers.linear(data.num_outputs)
    return layers.layers


def build(config, data):  # type: ignore[no-untyped-def]
    """An nn.Module that is no chain: the pictures are normalised, and added up again behind the first convolution."""
    import torch
    from torch import nn

    channels, height, width = image_shape(data)

    class Strided(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(channels)
            self.first = nn.Conv2d(channels, CHANNELS[0], 3, padding=1)
            self.second = nn.Conv2d(CHANNELS[0], CHANNELS[1], 3, padding=1)
            self.pool, self.relu = nn.AvgPool2d(2), nn.ReLU()
            self.head = nn.Linear(CHANNELS[1] * (height // 4) * (width // 4), data.num_outputs)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.norm(x)
            x = self.pool(self.relu(self.first(x) + x))
            x = self.pool(self.relu(self.second(x)))
            return self.head(x.flatten(1))

    return Strided()


def _no_picture(data) -> str:  # type: ignore[no-untyped-def]
    return "" if len(data.input_shape) > 1 else f"{data.name} has no pictures"


STRIDED = ModelSpec(
    name="strided",
    title="Strided",
    task="classification",
    section="8.5",
    description="two convolutions behind a batch normalisation",
    fields=("activation", *COMMON),
    default_dataset="digits",
    plan=plan,
    defaults={"batch_size": 32, "epochs": 20},
    refuses=_no_picture,
    build="strided_plugin:build",
)


def wrong_outputs(config, data):  # type: ignore[no-untyped-def]
    """One output too few."""
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(data.num_inputs, data.num_outputs - 1))


def fails(config, data):  # type: ignore[no-untyped-def]
    """A defect."""
    raise KeyError("no weights")


def _made(**changes):  # type: ignore[no-untyped-def]
    import msgspec

    return msgspec.structs.replace(STRIDED, **changes)


WRONG_OUTPUTS = _made(name="wrong-outputs", build="strided_plugin:wrong_outputs")
FAILS = _made(name="fails", build="strided_plugin:fails")
NO_PLAN = _made(name="no-plan", plan=fails)
WRONG_FIELD = _made(name="wrong-field", fields=("activation", "temperature"))
WRONG_DATA = _made(name="wrong-data", default_dataset="diabetes")

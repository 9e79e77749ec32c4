"""The loss of linear regression over two weights, ½ mean (Xw + b − y)²: a bowl, whose bottom is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from d2ltui.data import Dataset

PIXELS = 80  # across and up


class Bowl:
    """Of a data set with two inputs: the loss at each place (w₁, w₂), the bias being the best one for it."""

    def __init__(self, data: Dataset) -> None:
        x, y = data.x_train.double(), data.y_train.double()
        x, y = x - x.mean(dim=0), y - y.mean(dim=0)
        self._xx, self._xy, self._yy = x.T @ x / len(x), x.T @ y / len(x), float((y * y).mean())
        import torch

        self.goal: tuple[float, float] = tuple(torch.linalg.solve(self._xx, self._xy)[:, 0].tolist())

    def picture(self, x: tuple[float, float], y: tuple[float, float]) -> npt.NDArray[np.float32]:
        """The loss at the places of a plane, (PIXELS, PIXELS) with the top row first."""
        import torch

        across, up = torch.linspace(*x, PIXELS).double()[None, :], torch.linspace(y[1], y[0], PIXELS).double()[:, None]
        (a, b), (_, c) = self._xx.tolist()
        d, e = self._xy[:, 0].tolist()
        loss = (a * across**2 + 2 * b * across * up + c * up**2 - 2 * d * across - 2 * e * up + self._yy) / 2
        found: npt.NDArray[np.float32] = loss.float().numpy()
        return found

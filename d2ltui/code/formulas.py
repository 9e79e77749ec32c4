"""What the from-scratch implementation needs beside the network: functions, written out.

They compute what this program's own do, operation by operation, so that a script's figures are the run's.
"""

from __future__ import annotations

_MINUS_ABS = """
def minus_abs(X):
    return torch.where(X < 0, X, -X)
"""

_SIGMOID = """
def sigmoid(X):
    z = torch.exp(minus_abs(X))  # only negative powers of e: neither tail overflows
    p = 1 / (1 + z)
    return torch.where(X < 0, z * p, p)
"""

# By the reference that the registry has for the function from scratch.
ACTIVATIONS: dict[str, tuple[str, ...]] = {
    "d2ltui.nn.functional:relu": (
        """
def relu(X):
    return torch.where(X <= 0, 0.0, X)
""",
    ),
    "d2ltui.nn.functional:leaky_relu": (
        """
def leaky_relu(X):
    return torch.where(X <= 0, 0.01 * X, X)
""",
    ),
    "d2ltui.nn.functional:elu": (
        """
def elu(X):
    return torch.where(X <= 0, torch.expm1(torch.where(X <= 0, X, 0.0)), X)
""",
    ),
    "d2ltui.nn.functional:gelu": (
        """
def gelu(X):
    return X * (1 + torch.erf(X / math.sqrt(2))) / 2
""",
    ),
    "d2ltui.nn.functional:sigmoid": (_MINUS_ABS, _SIGMOID),
    "d2ltui.nn.functional:silu": (
        _MINUS_ABS,
        _SIGMOID,
        """
def silu(X):
    return X * sigmoid(X)
""",
    ),
    "d2ltui.nn.functional:tanh": (
        _MINUS_ABS,
        """
def tanh(X):
    u = torch.expm1(2 * minus_abs(X))  # exact at 0, and in both tails
    p = u / (2 + u)
    return torch.where(X < 0, p, -p)
""",
    ),
}

DROPOUT = """
def dropout(H, p):
    mask = torch.rand(H.shape, device=H.device) >= p
    return mask * H / (1 - p)
"""

CORR2D = """
def corr2d(X, K, b, padding=0):
    \"\"\"Cross-correlation: `unfold` puts what lies under a kernel into a column, for each of its places.\"\"\"
    c_out, _, k, _ = K.shape
    height, width = (size + 2 * padding - k + 1 for size in X.shape[2:])
    columns = nn.functional.unfold(X, k, padding=padding)
    return (K.reshape(c_out, -1) @ columns + b[:, None]).reshape(len(X), c_out, height, width)
"""

POOL2D = """
def pool2d(X, k):
    \"\"\"The mean of each square of k × k pixels.\"\"\"
    return X.unfold(2, k, k).unfold(3, k, k).mean(dim=(-2, -1))
"""

SQUARED_LOSS = """
def loss(y_hat, y):
    return ((y_hat - y) ** 2 / 2).mean()
"""

CROSS_ENTROPY = """
def loss(y_hat, y):
    \"\"\"The mean of −log softmax(y_hat) at y.

    The largest logit is subtracted from all, so that no exp overflows.
    \"\"\"
    largest = y_hat.amax(dim=1, keepdim=True).detach()
    log_sum_exp = largest.squeeze(1) + torch.log(torch.exp(y_hat - largest).sum(dim=1))
    return (log_sum_exp - y_hat.gather(1, y.unsqueeze(1)).squeeze(1)).mean()
"""

SMOOTHED_CROSS_ENTROPY = """
def loss(y_hat, y, label_smoothing=0.0):
    \"\"\"The mean of −log softmax(y_hat) at y; a share `label_smoothing` of it is the mean over all classes.\"\"\"
    largest = y_hat.amax(dim=1, keepdim=True).detach()
    log_sum_exp = largest.squeeze(1) + torch.log(torch.exp(y_hat - largest).sum(dim=1))
    of_label = y_hat.gather(1, y.unsqueeze(1)).squeeze(1)
    return (log_sum_exp - (1 - label_smoothing) * of_label - label_smoothing * y_hat.mean(dim=1)).mean()
"""

L2_PENALTY = """
def l2_penalty(w):
    return (w**2).sum() / 2
"""

GRAD_CLIPPING = """
def grad_clipping(params, theta):
    norm = torch.sqrt(sum(torch.sum(param.grad**2) for param in params))
    if norm > theta:
        for param in params:
            param.grad[:] *= theta / norm
"""


class Update:
    """An optimiser from scratch: its function, its state, and the call in a step.

    Args:
        function: the source of its definition.
        call: what a training step calls.
        states: the source of what it keeps beside the parameters.
        counts: whether it counts its steps, in `t`.
    """

    def __init__(self, function: str, call: str, states: str = "", counts: bool = False) -> None:
        self.function, self.call, self.states, self.counts = function, call, states, counts


_ZEROS = "states = [torch.zeros_like(param) for param in params]"

# The update rules of chapter 12, by the optimiser's name; those of a plug-in are not here.
UPDATES: dict[str, Update] = {
    "sgd": Update(
        """
def sgd(params, lr):
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad
            param.grad.zero_()
""",
        "sgd(params, lr)",
    ),
    "momentum": Update(
        """
def sgd_momentum(params, states, lr, momentum):
    with torch.no_grad():
        for param, v in zip(params, states):
            v[:] = momentum * v + param.grad
            param -= lr * v
            param.grad.zero_()
""",
        "sgd_momentum(params, states, lr, {momentum!r})",
        _ZEROS,
    ),
    "adagrad": Update(
        """
def adagrad(params, states, lr, eps=1e-10):
    with torch.no_grad():
        for param, s in zip(params, states):
            s[:] += param.grad**2
            param -= lr * param.grad / (torch.sqrt(s) + eps)
            param.grad.zero_()
""",
        "adagrad(params, states, lr)",
        _ZEROS,
    ),
    "rmsprop": Update(
        """
def rmsprop(params, states, lr, gamma=0.99, eps=1e-8):
    with torch.no_grad():
        for param, s in zip(params, states):
            s[:] = gamma * s + (1 - gamma) * param.grad**2
            param -= lr * param.grad / (torch.sqrt(s) + eps)
            param.grad.zero_()
""",
        "rmsprop(params, states, lr)",
        _ZEROS,
    ),
    "adam": Update(
        """
def adam(params, states, lr, t, beta1=0.9, beta2=0.999, eps=1e-8):
    with torch.no_grad():
        for param, (v, s) in zip(params, states):
            v[:] = beta1 * v + (1 - beta1) * param.grad
            s[:] = beta2 * s + (1 - beta2) * param.grad**2
            v_hat, s_hat = v / (1 - beta1**t), s / (1 - beta2**t)  # both began at zero
            param -= lr * v_hat / (torch.sqrt(s_hat) + eps)
            param.grad.zero_()
""",
        "adam(params, states, lr, t)",
        "states = [(torch.zeros_like(param), torch.zeros_like(param)) for param in params]",
        counts=True,
    ),
}
_ADAM = UPDATES["adam"]
UPDATES["adamw"] = Update(
    _ADAM.function.replace("def adam(", "def adamw(")
    .replace("eps=1e-8):", "eps=1e-8, weight_decay={weight_decay!r}):")
    .replace(
        "            v[:] =",
        "            if param.dim() > 1:  # weights, not biases\n"
        "                param *= 1 - lr * weight_decay\n            v[:] =",
        1,
    ),
    "adamw(params, states, lr, t)",
    _ADAM.states,
    counts=True,
)

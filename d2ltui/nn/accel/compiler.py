"""PyTorch's compiler: nothing here is compiled, but optimisers import it that are not of torch.optim's."""

from __future__ import annotations

import os
import sys
import threading

import torch

from d2ltui.nn.import_in_thread import run_in_thread

_CACHE = "TORCHINDUCTOR_CACHE_DIR"
_importing = threading.Lock()  # a run may begin while the import ahead of it is under way


def import_compiler() -> None:
    """Import it, if nobody has; in any thread. That takes a second.

    It makes a directory for what it compiles among the temporary files, and leaves it there; and it sets the variable
    that says where. With a directory that is there already none is made, and then the environment is put back: it is
    that of the process, and of those that it starts.
    """
    with _importing:
        if "torch._dynamo" in sys.modules:
            return
        run_in_thread(_import)


def _import() -> None:
    given = os.environ.get(_CACHE)
    os.environ.setdefault(_CACHE, os.path.dirname(torch.__file__))
    try:
        torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    finally:
        if given is None:
            os.environ.pop(_CACHE, None)
        else:
            os.environ[_CACHE] = given

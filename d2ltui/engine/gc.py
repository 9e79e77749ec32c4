"""Python's garbage collector, kept away from what PyTorch has imported."""

from __future__ import annotations

import gc
from functools import cache


@cache
def freeze_gc() -> None:
    """Never look again at the objects that exist now.

    With PyTorch they are some 350,000, and nearly all of them live as long as the process. A full collection looks at
    each of them, 0.2 s long, with the interpreter's lock held: no step is trained and no key is answered meanwhile.
    Only the first call in a process does anything: what later runs leave behind is to be collected. (Asking Python how
    many objects are frozen would count them one by one, with that lock held, too.)
    """
    gc.freeze()

"""The type of `command`, the fixture of `conftest.py` that runs `d2ltui ARGUMENTS` in the tests' own process."""

from __future__ import annotations

from collections.abc import Callable

# Exit status, standard output, standard error.
Command = Callable[..., tuple[int, str, str]]

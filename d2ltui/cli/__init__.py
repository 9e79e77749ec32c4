"""The commands. Heavy imports stand inside the command that needs them."""

from d2ltui.cli.app import main

__all__ = ["main"]

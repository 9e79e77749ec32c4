"""d2ltui: learn and watch deep learning in a terminal."""

__version__ = "0.1.0"

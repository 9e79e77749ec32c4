"""Measured accelerations of layers and optimisers."""

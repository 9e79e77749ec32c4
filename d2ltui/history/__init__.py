"""A run in memory, as plain numbers."""

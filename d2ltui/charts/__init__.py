"""Numbers to characters."""

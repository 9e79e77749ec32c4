"""The Textual application."""

import os

# What Textual reads when it is imported; whoever has set it otherwise keeps it.
# It draws at most so often a second what has changed, and a key's answer waits for two or three such moments.
os.environ.setdefault("TEXTUAL_FPS", "250")
# Milliseconds until a lone escape character is the escape key, not the beginning of an arrow's sequence.
os.environ.setdefault("ESCDELAY", "25")

"""Numbers to characters. The only room that knows plotext."""

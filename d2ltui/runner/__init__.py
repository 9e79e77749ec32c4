"""A run assembled: engine, store and whoever watches, tied together."""

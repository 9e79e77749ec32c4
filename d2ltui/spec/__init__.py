"""What a run is, as plain values: no torch, no numpy."""

"""Pictures of a network: what it predicts, where it is mistaken, and what its units have learned, as plain arrays."""

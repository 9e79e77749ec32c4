"""Looking inside a network, and judging what is seen."""

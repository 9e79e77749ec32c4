"""The commands about stored runs: list, show, compare, export, and grids of runs. `cli` adds them to the rest."""

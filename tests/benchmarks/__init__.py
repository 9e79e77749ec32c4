"""What watching costs, measured: `python -m tests.benchmarks`. Nothing here is a test, and nothing asserts."""

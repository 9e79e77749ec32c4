"""Random keys, clicks, pastes and sizes, thrown at the application: `python -m tests.storm --events 20000 --seed 1`."""

"""Training: one run, a grid of many runs, sweeps of any size, and tests of trained networks."""

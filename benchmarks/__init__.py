"""Benchmarks: results are compared before anything is timed; a speed is a ratio in one run."""

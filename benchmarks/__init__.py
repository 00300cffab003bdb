"""Benchmarks: each against a floor or a rival in the same run, so that the ratios hold on other machines."""

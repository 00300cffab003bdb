"""Colours of the phases, for whatever draws them."""

OIL, GAS, WATER = "#2e7d32", "#c62828", "#1565c0"
"""Colours of the industry: oil green, gas red, water blue."""

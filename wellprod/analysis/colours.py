"""Colours of the phases, for whatever draws them."""

OIL, GAS, WATER = "#2e7d32", "#c62828", "#1565c0"
"""Colours of the industry: oil green, gas red, water blue."""

LIQUIDS, BOE = "#8a6d00", "#7b1fa2"
"""Liquids and oil equivalents, for which the industry has no colour."""

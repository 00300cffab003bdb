"""wellprod."""

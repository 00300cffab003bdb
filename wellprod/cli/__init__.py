"""The command line: parse, call, print."""

from wellprod.cli.main import main

__all__ = ["main"]

"""`python -m wellprod`: the command line."""

from wellprod.cli import main

main()

"""`python -m palaver.cli` is the `palaver` command."""

from palaver.cli import main

main()

"""The `palaver` command."""

from palaver.cli.app import main

__all__ = ["main"]

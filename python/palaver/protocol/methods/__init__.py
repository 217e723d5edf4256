"""Params and results of the methods, one file per handler; `table.METHODS` is the whole list (docs/protocol.md § 5)."""

"""Puts the generated tables into docs/protocol.md (make docs)."""

from pathlib import Path

from palaver.protocol.tables import tables

PAGE = Path(__file__).parent / "protocol.md"
before, rest = PAGE.read_text().split("<!-- tables -->\n")
_, after = rest.split("<!-- /tables -->")
PAGE.write_text(f"{before}<!-- tables -->\n{tables()}\n<!-- /tables -->{after}")

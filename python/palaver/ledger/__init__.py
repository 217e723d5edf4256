"""Where rulings (bans, revocations) are kept over a restart."""

from palaver.ledger.memory import MemoryLedger as MemoryLedger
from palaver.ledger.sqlite import SqliteLedger as SqliteLedger

"""The ledger on disk, and what is computed from it: joules, phases, waste, a record."""

"""What records, cards, tables and forms claim of a run, and whether it can be true."""

"""The second process: it reads the meters and writes the ledger."""

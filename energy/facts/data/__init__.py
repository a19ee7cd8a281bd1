"""Facts as rows: every one with source, year and status."""

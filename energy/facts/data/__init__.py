"""The tables of facts: every row has a source, a year and a status."""

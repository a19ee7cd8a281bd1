"""Disclosures for regulators, model hubs and auditors, computed from a record."""

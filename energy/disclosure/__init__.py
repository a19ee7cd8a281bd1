"""What regulators, hubs and auditors ask for, computed from a record."""

"""Meters: one small protocol, one file a source, chosen by what the machine has."""

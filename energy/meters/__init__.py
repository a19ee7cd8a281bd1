"""Meters: one small protocol, and one file per source; a machine uses the sources that it has."""

"""Figures that regulators ask for, computed from plain numbers; no command calls them yet."""

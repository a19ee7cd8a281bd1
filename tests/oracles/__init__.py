"""Checks of our own mathematics against libraries that others wrote, and against random draws."""

"""One scenario becomes one record."""

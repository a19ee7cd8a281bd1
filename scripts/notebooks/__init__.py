"""Executes the notebooks and keeps their outputs: `python -m scripts.notebooks`."""

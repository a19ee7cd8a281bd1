"""Installs the project with a line of progress every few seconds: `python -m scripts.install`."""

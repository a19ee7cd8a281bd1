"""Checkpoints: their content, their file format, and the thread that writes them."""

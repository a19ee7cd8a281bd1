"""Checkpoints: what they hold, their file, and the thread that writes them."""

"""Scaling laws of the loss, and runs matched at equal loss."""

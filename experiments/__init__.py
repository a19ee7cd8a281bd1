"""Experiments: each answers one question with trainings of its own."""

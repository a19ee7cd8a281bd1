"""Many plans at once: their space, their evaluation, and the front of any choices."""

"""Many plans at once: their space, their evaluation, the front of the best."""

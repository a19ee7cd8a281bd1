"""Logs of other tools, read into the run folder that `energy run` would have left."""

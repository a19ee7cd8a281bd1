"""Trackers for other people's training loops; each file imports its own library alone."""

"""The trainer: a run, its loop, its state, its optimizer and its metrics."""

"""Training: a run, its trainer, optimizer, metrics, validation loss and record."""

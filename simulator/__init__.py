"""The same record, before the run: what a training run would spend."""

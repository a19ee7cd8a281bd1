"""What a training loop sees: the tracker, its windows, and what metering costs."""

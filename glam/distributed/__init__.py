"""Training on several processes: their start, who has which weights, and what they exchange."""

"""Training on several processes against training on one: numbers, messages, speed, and restarts."""

"""Speed and memory of the trainer beside its alternatives."""

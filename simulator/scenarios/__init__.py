"""What a user writes: a scenario, its sections, and its variants."""

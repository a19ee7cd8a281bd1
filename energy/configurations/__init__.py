"""Reads a model's configuration (config.json as transformers writes it) as a shape."""

"""Continuing prompts with a trained model, in batches, and the account of it."""

"""Text to token batches: sources, survey, tokenizer, token shards and corpus."""

"""Text: sources, mixtures of domains, the tokenizer, shards and the corpus."""

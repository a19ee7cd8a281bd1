"""FLOP, seconds, bytes and watts of a step: arrays in, arrays out, no files and no scenarios."""

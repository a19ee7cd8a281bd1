"""Arrays in, arrays out: FLOP, seconds, bytes and watts. No file, no scenario."""

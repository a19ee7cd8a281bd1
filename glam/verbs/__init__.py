"""The verbs of the command `glam`: each parses, calls and prints; torch is imported inside them."""

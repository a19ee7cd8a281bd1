"""The verbs of the command `energy` by question: each parses, calls and prints."""

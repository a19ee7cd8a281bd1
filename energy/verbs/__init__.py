"""The verbs of the command `energy` that need more than a call."""

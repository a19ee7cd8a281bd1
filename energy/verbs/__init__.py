"""The verbs of the command `energy` that are more than a call."""

"""The writers of the formats, each from the same facts."""

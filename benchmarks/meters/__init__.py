"""Accuracy and cost of the meters, beside those of other tools."""

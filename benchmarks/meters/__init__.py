"""Accuracy and cost of the meters, beside their peers."""

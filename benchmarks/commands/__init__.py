"""Processor time of whole commands."""

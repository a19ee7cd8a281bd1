"""Benchmarks: each compares alternatives side by side in one session and checks its gates."""

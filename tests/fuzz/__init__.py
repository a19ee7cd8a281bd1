"""A seeded fuzzer: mutated files for every reader, and odd values for every option.

python -m tests.fuzz --inputs 10000 --seed 1
"""

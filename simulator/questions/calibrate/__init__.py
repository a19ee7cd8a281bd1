"""Which constants do measurements give?"""

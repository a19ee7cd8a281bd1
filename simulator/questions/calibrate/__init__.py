"""Which constants do measurements show?"""

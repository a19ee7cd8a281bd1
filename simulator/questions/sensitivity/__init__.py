"""Which assumption moves the answer?"""

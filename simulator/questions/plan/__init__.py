"""Which parallel plan is best on these chips?"""

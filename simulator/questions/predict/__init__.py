"""What would a run spend?"""

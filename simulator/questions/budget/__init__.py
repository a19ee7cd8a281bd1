"""What fits a budget, and where does a mixture of experts pay?"""

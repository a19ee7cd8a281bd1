"""Which models, chips and prices are known?"""

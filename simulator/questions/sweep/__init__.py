"""Which models, chips, places and plans are worth considering?"""

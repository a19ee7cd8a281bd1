"""Where should the run stand?"""

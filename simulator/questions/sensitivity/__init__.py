"""Which assumption drives a result?"""

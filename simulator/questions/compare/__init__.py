"""How do two runs differ, and why?"""

"""What do failures cost?"""

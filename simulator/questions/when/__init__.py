"""When should the run start, and should it pause?"""

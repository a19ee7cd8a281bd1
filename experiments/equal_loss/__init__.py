"""Does a sparse model save energy at equal loss?"""

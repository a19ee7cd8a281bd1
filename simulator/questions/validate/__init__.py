"""How far are predictions from measurements?"""

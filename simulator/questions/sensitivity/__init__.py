"""Which assumption moves a figure?"""

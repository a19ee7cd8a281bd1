"""What load does the site see?"""

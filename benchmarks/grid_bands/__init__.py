"""How far the carbon intensity of a zone is from the next edition of the same source."""

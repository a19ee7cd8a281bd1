"""How good the checks of claims are: planted slips, and wrong records beside foreign validators."""

"""What every question shares: the answer, the options, the style, the progress."""

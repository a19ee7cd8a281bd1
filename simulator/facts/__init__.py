"""Facts of software and assumptions, with their files."""

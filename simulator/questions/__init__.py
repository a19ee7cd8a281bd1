"""One folder for each question; no question imports another."""

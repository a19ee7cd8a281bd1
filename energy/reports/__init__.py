"""Records presented to people: summaries, pages and plots."""

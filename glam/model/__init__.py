"""The decoder: its layers, attention, feed-forward networks, norms and loss."""

"""Laws of loss, and models matched at equal loss."""

"""What the experts of a trained mixture take, and what each is worth."""

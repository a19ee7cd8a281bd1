"""What the experts of the experiment's mixtures take."""

"""What `glam probe` times on a machine."""

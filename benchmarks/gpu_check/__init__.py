"""What only a real GPU can show, in one command of under 8 minutes: `make gpu-check`."""

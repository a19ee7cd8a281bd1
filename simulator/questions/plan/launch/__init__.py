"""The best plan of `simulator plan` as a command that starts a training with its degrees."""

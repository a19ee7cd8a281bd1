"""Speed of `glam eval` beside lm-eval's own adapter of transformers."""

"""The TPU compiler asked what a GLaM layer costs; no TPU is needed."""

"""What a GLaM layer costs by the compiler of TPUs; no TPU is needed."""

"""A machine in virtual time: the product's own meters and sampler, run as fast as they compute."""

"""Records told to people: pages now, forms of regulators and model cards beside them."""

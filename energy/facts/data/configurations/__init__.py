"""Configurations of released models, one file a model, as `energy.configurations` reads them."""

"""Facts with their sources: chips, models, grid zones, prices, sites."""

"""Facts with sources: chips, models, grid zones, prices, sites."""

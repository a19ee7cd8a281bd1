"""A small run of a known cluster, and a utilization of it that no prediction is needed for."""

EIGHT_H100 = {
    "hardware.chip": "h100",
    "hardware.count": 8,
    "site.zone": "US",
    "site.pue": 1.2,
    "site.chip_price": 2.0,
}
"""What a scenario is overridden with: eight chips at a site whose prices are set."""

UTILIZATION = {"mfu": 0.4, "watts": 700.0}
"""A measured utilization and the mean power of a chip that goes with it."""

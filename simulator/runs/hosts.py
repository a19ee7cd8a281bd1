"""Watts of a chip's share of its host: node = chips + hosts, whatever the chips are doing.

Processors, memory, network cards, fans and power supplies draw much the same while chips wait, so
a node's joules over those of its chips rise when the chips draw less. Where the catalog knows the
host of a chip, that ratio is computed; where it does not, or a scenario gives its own, the ratio
is that of the site.
"""

from __future__ import annotations

from dataclasses import replace

from energy.facts import catalog
from energy.facts.site import Site
from energy.quantity import Boundary, Origin, Quantity
from simulator.scenarios.scenario import Scenario


def host_ratio(chip: catalog.Chip, chip_w: float) -> Quantity | None:
    """Watts of a node over those of its chips; None where the chip's host is not known.

    H100 at 562 W with 213 W (186 to 241) of host: 1.38 (1.33 to 1.43).

    Args:
        chip: of the catalog.
        chip_w: mean watts of one chip.
    """
    if chip.host_w is None or chip.host_low_w is None or chip.host_high_w is None:
        return None
    value, low, high = (
        1 + watts / chip_w for watts in (chip.host_w, chip.host_low_w, chip.host_high_w)
    )
    source = f"1 + host {chip.host_w:g} W / chip {chip_w:.0f} W; host: {chip.host_scope}"
    return Quantity(
        value=value, low=low, high=high, unit="1", origin=Origin.MODELLED, source=source
    )


def known_host(scenario: Scenario, boundary: Boundary) -> catalog.Chip | None:
    """The chip whose host counts; None where the site's own ratio of node to chip does.

    Args:
        scenario: whose chip and site count.
        boundary: of the chip's watts.
    """
    name = scenario.hardware.chip
    if scenario.site.node_over_chip is not None or name is None or boundary is not Boundary.CHIP:
        return None
    chip = catalog.chip(name)
    return chip if chip.host_w is not None else None


def with_hosts(scenario: Scenario, site: Site, boundary: Boundary, chip_w: Quantity) -> Site:
    """The site of a scenario, with the hosts of its chips where it has no ratio of its own.

    Args:
        scenario: whose chip and site count.
        site: of the scenario, resolved.
        boundary: of the watts.
        chip_w: mean of one chip.
    """
    chip = known_host(scenario, boundary)
    if chip is None or not chip_w.value:
        return site
    ratio = host_ratio(chip, chip_w.value)
    return site if ratio is None else replace(site, node_over_chip=ratio)

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


def placed(scenario: Scenario, boundary: Boundary, watts: Quantity) -> Site:
    """The site of a scenario, with the host of its chips where no ratio was given.

    Args:
        scenario: whose chip and site count.
        boundary: of the watts.
        watts: mean of one chip.
    """
    found = scenario.site.resolve()
    name = scenario.hardware.chip
    given = scenario.site.node_over_chip is not None
    if given or name is None or boundary is not Boundary.CHIP or not watts.value:
        return found
    ratio = host_ratio(catalog.chip(name), watts.value)
    return found if ratio is None else replace(found, node_over_chip=ratio)

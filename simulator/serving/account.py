"""The ladder of boundaries of serving: active chip, host, idle reserve, facility; and what follows.

Machines that wait for requests belong to those that answer them: the step from a node to IT is here
the reserve. CO2e, water and dollars follow as for every other joule (`energy.footprint.account`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from energy.facts.catalog import Chip
from energy.facts.site import Site
from energy.footprint.account import Account, account, quantity_times
from energy.quantity import Boundary, Origin, Quantity
from simulator.facts.assumptions import assumed
from simulator.facts.tables import table
from simulator.runs.hosts import host_ratio

RUNGS = {
    Boundary.CHIP: "active chip",
    Boundary.NODE: "host",
    Boundary.IT: "idle reserve",
    Boundary.FACILITY: "facility",
}
"""What each boundary adds."""


@dataclass(frozen=True)
class Rung:
    """A boundary: joules up to it, and what it adds."""

    name: str
    boundary: Boundary
    total: Quantity
    added: float | None
    share: float | None


def idle_reserve() -> Quantity:
    """Energy of all machines over that of the busy ones, as assumed."""
    return assumed(table("serving.toml")["idle_reserve"])


def serving_site(site: Site, chip: Chip, chip_w: float, reserve: Quantity) -> Site:
    """A site whose steps are those of serving: the host of this chip, and the reserve."""
    ratio = host_ratio(chip, chip_w) if chip_w > 0 else None
    node = site.node_over_chip if ratio is None else ratio
    return replace(site, node_over_chip=node, it_over_node=reserve)


def accounted(joules: Quantity, site: Site, chip_s: Quantity) -> Account[Quantity]:
    """Joules of chips at a site of serving, and what they become."""
    return account({Boundary.CHIP: joules}, site, quantity_times, chip_s)


def rungs(result: Account[Quantity]) -> list[Rung]:
    """The boundaries, each with what it adds and its share of the widest."""
    ladder, below = [], 0.0
    whole = result.totals[Boundary.FACILITY].value
    for boundary, name in RUNGS.items():
        total = result.totals[boundary]
        added = None if total.value is None else total.value - below
        below = total.value or 0.0
        share = added / whole if added is not None and whole else None
        ladder.append(Rung(name, boundary, total, added, share))
    return ladder


def published_prompt() -> list[Rung]:
    """The ladder of a published prompt from its chip joules alone: 0.24 Wh.

    Chips 0.58 of 0.24 Wh = 501 J; x (1 + 0.25 / 0.58) x (1 + 0.10 / 0.83) x PUE 1.09 = 876 J, and
    0.24 Wh are 864 J.
    """
    from energy.facts.site import site

    row = table("serving.toml")["published_prompt"]
    source = row["source"]

    def stated(value: float, unit: str, what: str) -> Quantity:
        return Quantity.exact(value, unit, f"{what}: {source}", Origin.MEASURED)

    chips = row["energy_wh"] * 3600 * row["chip"]
    place = replace(
        site(),
        node_over_chip=stated(1 + row["host"] / row["chip"], "1", "host over chips"),
        it_over_node=stated(
            1 + row["idle"] / (row["chip"] + row["host"]), "1", "idle machines over busy ones"
        ),
        pue=stated(row["pue"], "1", "PUE of the fleet"),
    )
    joules = stated(chips, "J", "chips")
    return rungs(accounted(joules, place, Quantity.absent("s", "not published")))

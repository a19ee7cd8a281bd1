"""The page of fitted constants."""

from __future__ import annotations

from pathlib import Path

from energy.reports.words import console, table
from simulator.fit.pool import Pool
from simulator.physics.constants import PRIORS


def constants_page(pool: Pool, path: Path) -> None:
    """Print fitted constants beside their priors, and what the rows do not determine."""
    out = console()
    page = table("constant", "prior", "fitted", "unit", "meaning")
    weak = pool.provenance.get("not_identified", {})
    for name, value in pool.world.items():
        one = PRIORS[name]
        page.add_row(
            f"{name}{' *' if name in weak else ''}",
            f"{one.value:.3g}",
            f"{value:.3g}",
            one.unit,
            one.meaning,
        )
    out.print(page)
    out.print("* not identified: the rows hardly say more than the prior did")
    for name, value in pool.provenance.items():
        if name.endswith("error"):
            out.print(f"{name.replace('_', ' ')}: {value:.1%}")
    out.print(f"wrote {path}")

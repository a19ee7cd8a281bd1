"""The page of `simulator calibrate` for constants fitted to tables of throughput."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from energy.reports.words import table
from simulator.fit.pool import Pool
from simulator.physics.constants import PRIORS


def constants_page(pool: Pool, path: Path, screen: Console) -> None:
    """Print fitted constants beside their priors, and which of them the rows do not determine."""
    page = table("constant", "prior", "fitted", "unit", "meaning")
    not_identified = pool.provenance.get("not_identified", {})
    for name, value in pool.world.items():
        prior = PRIORS[name]
        page.add_row(
            f"{name}{' *' if name in not_identified else ''}",
            f"{prior.value:.3g}",
            f"{value:.3g}",
            prior.unit,
            prior.meaning,
        )
    screen.print(page)
    screen.print("* not identified: the rows say little more than the prior")
    for name, value in pool.provenance.items():
        if name.endswith("error"):
            screen.print(f"{name.replace('_', ' ')}: {value:.1%}")
    screen.print(f"wrote {path}")

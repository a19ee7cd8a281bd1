"""What the menus and sliders of the page offer: rows of the catalogs, and round numbers."""

from __future__ import annotations

from energy import shape as shapes
from energy.facts import catalog, grid
from energy.facts.model_rows import Model
from energy.units import count
from simulator.scenarios.what_if import UNKNOWN, WhatIf

UNKNOWN_PLACE = "unknown: a band over all grids"

PER_DECADE = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)


def models() -> dict[str, str]:
    """Models to train by what is shown of them; their dense twins come by themselves."""
    rows = (row for row in catalog.models() if not row.name.endswith("-dense"))
    return {f"{row.name} ({_size(row)})": row.name for row in rows}


def _size(row: Model) -> str:
    """The parameters that its authors state, or our own count."""
    stated = row.params_total
    return count(stated if stated else float(shapes.total(shapes.parameters(row.shape))))


def chips() -> dict[str, str]:
    """Chips that a model can be trained on, by what is shown of them."""
    return {
        f"{chip.name} ({chip.id})": chip.id
        for chip in catalog.chips()
        if chip.kind in ("gpu", "tpu") and chip.memory_bytes
    }


def places() -> dict[str, str]:
    """Data centers and grid zones, by what is shown of them."""
    centers = {f"data center {row.id}": row.id for row in grid.regions()}
    zones = {f"{row.name} ({row.id})": row.id for row in grid.zones()}
    return {UNKNOWN_PLACE: UNKNOWN} | centers | zones


def experts(chosen: WhatIf) -> list[int]:
    """Numbers of experts that the model could have; none of a dense model."""
    shape = chosen.own_shape
    if not shape.n_moe_layers:
        return []
    least, most = int(shape.top_k), 4 * int(shape.n_experts)
    doubled = {2**power for power in range(1, 13) if least <= 2**power <= most}
    return sorted(doubled | {int(shape.n_experts), chosen.experts or int(shape.n_experts)})


def counts(chosen: WhatIf) -> list[int]:
    """Numbers of chips."""
    return sorted({2**power for power in range(18)} | {chosen.chips})


def around(chips: int) -> list[int]:
    """Numbers of chips for the picture: fewer and more than those that are chosen."""
    return sorted({max(1, chips // 4), max(1, chips // 2), chips, 2 * chips, 4 * chips})


def tokens(chosen: WhatIf) -> list[float]:
    """Tokens of a run in billions."""
    return _round_numbers(0, 5, chosen.tokens / 1e9)


def batches(chosen: WhatIf) -> list[float]:
    """Tokens of a step in millions."""
    return _round_numbers(-1, 3, chosen.batch / 1e6)


def pues(chosen: WhatIf) -> list[float]:
    """Facility energy over IT energy, from none lost to as much again."""
    return sorted({round(1 + hundredth / 100, 2) for hundredth in range(101)} | {chosen.pue or 1.0})


def _round_numbers(first: int, last: int, own: float) -> list[float]:
    """Round numbers of some decades, and one of one's own."""
    numbers = {
        round(step * 10.0**decade, 6) for decade in range(first, last) for step in PER_DECADE
    }
    return sorted(numbers | {round(own, 6)})

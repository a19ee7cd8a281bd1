"""The roof of a chip: the largest share of its peak that a matrix product can be thought to reach.

That of its best measured product; where nobody measured one, the largest share that was measured of
its maker's chips, which is an assumption.
"""

from __future__ import annotations

from functools import cache

from energy.facts import catalog
from energy.facts.rows import rows
from energy.quantity import Origin, Quantity


def roof(chip: catalog.Chip) -> Quantity:
    """Share of the bf16 peak that no product of a chip exceeds; 1 where its maker has no row.

    A100: 271.2 of 312 TFLOP/s, 0.869. An A800 that nobody measured: as the A100, assumed.
    """
    measured, peak = chip.measured_matmul_bf16_flop_per_s, chip.peak_bf16_flop_per_s
    if measured is not None and peak is not None:
        return Quantity.exact(measured / peak, "1", f"best measured product: {chip.source}")
    return by_maker().get(chip.vendor or "", _PEAK)


@cache
def by_maker() -> dict[str, Quantity]:
    """The roof of chips that nobody measured, by their maker: `matmul_roofs.csv`."""

    def read(row: dict[str, str]) -> tuple[str, Quantity]:
        source = f"{row['source']} ({row['year']}, {row['status']}); {row['notes']}"
        return row["vendor"], Quantity.exact(float(row["share"]), "1", source, Origin.ASSUMED)

    return dict(rows("matmul_roofs.csv", read))


_PEAK = Quantity.exact(1.0, "1", "no product of this maker was measured: the peak", Origin.ASSUMED)

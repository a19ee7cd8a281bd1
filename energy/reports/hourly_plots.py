"""The hours of a run as a picture: kWh as bars, and the intensities that they met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from energy.colors import ANSWER, BAND, LOST, THIRD
from energy.files import write_atomic
from energy.record import RunRecord
from energy.reports import picture
from energy.units import S_PER_DAY, S_PER_HOUR

LINES = {
    "grid_location_hourly_g_per_kwh": ("location", LOST, "-"),
    "grid_market_hourly_g_per_kwh": ("market", THIRD, "--"),
}

SCALES = ((1e-3, "MWh"), (1.0, "kWh"), (1e3, "Wh"), (1e6, "mWh"))
"""Units of the bars, the first in which the highest is 1 or more."""


def draw(rows: Sequence[Mapping[str, Any]], record: RunRecord, path: Path) -> None:
    """Write a picture of the hours of a run.

    Args:
        rows: of `energy.verbs.hourly.Hourly.rows`, in order.
        record: of the run.
        path: PNG, SVG or PDF by its ending.
    """
    times = [datetime.fromisoformat(row["begin_utc"]).timestamp() / S_PER_DAY for row in rows]
    widths = [later - time for time, later in pairwise(times)]
    widths.append(widths[-1] if widths else S_PER_HOUR / S_PER_DAY)
    settings: Any = picture.PLAIN_NAMES | {"svg.fonttype": "none"}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(8, 4.2), layout="constrained")
        axes = figure.subplots()
        most_kwh = max(row["read_kwh"] for row in rows)
        scale, unit = next((s, u) for s, u in SCALES if most_kwh * s >= 1 or u == SCALES[-1][1])
        bars = [scale * row["read_kwh"] for row in rows]
        axes.bar(times, bars, widths, align="edge", color=BAND, edgecolor="white", linewidth=0.3)
        axes.set_ylabel(f"{unit} that were read in the interval", color=ANSWER)
        axes.set_xlabel("UTC")
        other = axes.twinx()
        for name, (label, color, dashes) in LINES.items():
            if name in rows[0]:
                levels = [row[name] for row in rows]
                edges = [*times, times[-1] + widths[-1]]
                other.stairs(
                    levels, edges, baseline=None, color=color, linestyle=dashes, label=label
                )
        other.set_ylabel("g CO2e a kWh")
        other.set_ylim(bottom=0)
        other.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
        axes.xaxis_date("UTC")  # days since 1970, as matplotlib counts them
        totals = [
            f"{label} {grams.human()}"
            for label, grams in (
                ("location", record.co2_location_hourly_g),
                ("market", record.co2_market_hourly_g),
            )
            if grams.value is not None
        ]
        axes.set_title(f"{record.name}, hour by hour: {', '.join(totals)}", loc="left", fontsize=10)
        how: dict[str, Any] = {"format": path.suffix[1:].lower(), "dpi": 150}
        write_atomic(path, lambda file: picture.draw(figure, file, **how))

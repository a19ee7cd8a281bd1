"""CO2e of a run hour by hour, beside that by the factor of a year; the four are never netted.

The GHG Protocol's Scope 2 is moving to hourly matching: contracts count for the hours in which they
deliver. The series are files of the user; nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from energy.facts.grid_series import Series, read_series
from energy.footprint.apply import with_figures
from energy.ledger.hours import Hours, hours, require_hourly
from energy.ledger.lines import require_ledger
from energy.ledger.owned import of_rank
from energy.ledger.progress import Progress
from energy.ledger.reader import Lent, Reader
from energy.quantity import Quantity
from energy.record import RunRecord
from energy.units import J_PER_KWH


@dataclass(frozen=True)
class Sources:
    """Files of intensity over time.

    Attributes:
        location: of the grid.
        market: after contracts.
        options: of `read_series`: column, time_column, timezone.
    """

    location: Path | None = None
    market: Path | None = None
    options: Mapping[str, Any] | None = None

    def series(self) -> dict[str, Series]:
        """The series by the figure of a site that they give.

        Raises:
            InputError: a file cannot be read, or not used hour by hour.
        """
        files = {"grid_location_hourly": self.location, "grid_market_hourly": self.market}
        return {
            figure: require_hourly(read_series(path, **(self.options or {})))
            for figure, path in files.items()
            if path is not None
        }


@dataclass(frozen=True)
class Figure:
    """One of the four figures of CO2e in operation.

    Attributes:
        title: method, and the year or the hours.
        factor: g/kWh at the facility.
        co2_g: grams.
    """

    title: str
    factor: Quantity
    co2_g: Quantity


@dataclass(frozen=True)
class Hourly:
    """A record with its hourly figures, and the hours.

    Attributes:
        record: with them.
        hours: by the figure of a site that each gives.
    """

    record: RunRecord
    hours: Mapping[str, Hours]

    def figures(self) -> list[Figure]:
        """The four figures of CO2e in operation."""
        return [
            Figure(title, self.record.factors[factor], getattr(self.record, field))
            for title, factor, field in FIGURES
        ]

    def rows(self) -> list[dict[str, Any]]:
        """A row an interval: when, kWh as they were read, and g/kWh of each series."""
        rows: dict[float, dict[str, Any]] = {}
        for figure, own in self.hours.items():
            for begin_s, joules, grams in zip(
                own.begin_s.tolist(), own.joules.tolist(), own.g_per_kwh.tolist(), strict=True
            ):
                when = datetime.fromtimestamp(begin_s, UTC).isoformat(timespec="minutes")
                row = rows.setdefault(begin_s, {"begin_utc": when, "read_kwh": joules / J_PER_KWH})
                row[f"{figure}_g_per_kwh"] = grams
        return [rows[begin_s] for begin_s in sorted(rows)]


FIGURES = (
    ("location, of the year", "grid_location", "co2_location_g"),
    ("location, hour by hour", "grid_location_hourly", "co2_location_hourly_g"),
    ("market, of the year", "grid_market", "co2_market_g"),
    ("market, hour by hour", "grid_market_hourly", "co2_market_hourly_g"),
)


def hourly(
    folder: Path, sources: Sources, zone: str | None = None, market: float | None = None
) -> Hourly:
    """Add the hourly figures to the record of a run, and write it.

    Args:
        folder: with a record, and the ledger of the run or the places of those it was merged from.
        sources: the series.
        zone: another grid zone than the record's, for the figure of the year.
        market: grams a kWh after contracts, of the year.

    Raises:
        InputError: a file is none, or cannot be used.
        MissingDataError: the series does not cover the run.
    """
    series = sources.series()
    record = RunRecord.load(folder)
    own = by_hour(ledgers_of(folder, record), series)
    changed = {figure: of.factor for figure, of in own.items()}
    if market is not None:
        changed["grid_market"] = stated_market(market)
    record = with_figures(record, zone, **changed)
    record.save(folder)
    return Hourly(record, own)


def stated_market(grams: float) -> Quantity:
    """The option --market as a figure of a site."""
    from energy.facts.site import site_from_options

    return site_from_options(None, None, None, grams).grid_market


def by_hour(ledgers: list[Path], series: Mapping[str, Series]) -> dict[str, Hours]:
    """The hours of a run by the figure of a site that each series gives."""
    lent: Lent = {}
    with Progress(ledgers) as progress:
        readers = [Reader(path, lent=lent, on_bytes=progress.advance) for path in ledgers]
        segments = [segment for reader in readers for segment in reader.segments()]
    if len(ledgers) == 1:  # else it is of a merged record, which has all devices
        segments, _ = of_rank(segments)
    return {figure: hours(segments, own) for figure, own in series.items()}


def ledgers_of(folder: Path, record: RunRecord) -> list[Path]:
    """The ledger of a run; of a merged one, those of its parts.

    Raises:
        InputError: there is none.
    """
    parts = record.environment.get("merged_from")
    folders = [Path(part) for part in parts] if isinstance(parts, list) else [folder]
    return sorted({require_ledger(path).resolve() for path in folders})

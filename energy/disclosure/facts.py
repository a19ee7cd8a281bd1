"""The facts that forms ask for: of one record or several, and what the record does not hold.

A fact is a quantity in SI or a word. What neither the record, nor its labels, nor `--set` has is
missing, and is never filled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from energy.arithmetic import add
from energy.disclosure.stated import number_of, statable, unit_of, word
from energy.errors import InputError, MissingDataError
from energy.facts.catalog import known_chip
from energy.facts.chip_rows import Chip
from energy.facts.site import UNKNOWN_ZONE
from energy.quantity import Boundary, Quantity
from energy.record import Kind, RunRecord, total
from energy.units import flop

DELIVERED = (Boundary.FACILITY, Boundary.IT, Boundary.NODE, Boundary.CHIP)
"""Boundaries at which energy is disclosed, the widest first; grid losses are nobody's bill."""

BETTER_KNOWN = ("co2_embodied_g", "mfu")
"""Facts of which an author may know better than a record: an assessment of the own hardware, a
utilization of the steady state."""


@dataclass(frozen=True)
class Facts:
    """What is known of a run, or of several that are disclosed together.

    Attributes:
        records: the runs, in the order of their stages.
        quantities: by name, those that have a value.
        words: by name.
        boundary: of `energy_j`; None without joules.
        absent: why a quantity is missing, where the record says.
    """

    records: tuple[RunRecord, ...]
    quantities: Mapping[str, Quantity]
    words: Mapping[str, str]
    boundary: Boundary | None
    absent: Mapping[str, str]

    def number(self, name: str) -> float:
        """The value of a quantity that is known."""
        return self.quantities[name].numbers()[0]

    def has(self, name: str) -> bool:
        """Whether a fact is known."""
        return name in self.quantities or name in self.words

    @property
    def chip(self) -> Chip | None:
        """The chip in the catalog; None for another or none."""
        return known_chip(self.words.get("chip", ""))

    @property
    def predicted(self) -> bool:
        """Whether any of the runs is a prediction."""
        return bool(self.predictions)

    @property
    def predictions(self) -> tuple[str, ...]:
        """The names of the runs that are predictions."""
        return tuple(r.name for r in self.records if r.kind is Kind.PREDICTED)

    @property
    def only_predicted(self) -> bool:
        """Whether none of the runs happened."""
        return len(self.predictions) == len(self.records)


def facts_of(records: Sequence[RunRecord], stated: Mapping[str, str]) -> Facts:
    """The facts of some runs, with what a person states beside them.

    Quantities of several runs are added, boundary by boundary; sizes are those of the last one.

    Args:
        records: at least one, the original before its modifications.
        stated: by the names of `statable`; they come before labels of the records.

    Raises:
        InputError: a name is unknown, a value is none of its choices or no number, or the record
            has that figure itself.
    """
    quantities, absent = _of_records(records)
    boundary = next((at for at in DELIVERED if f"energy_{at}_j" in quantities), None)
    if boundary is not None:
        quantities["energy_j"] = quantities[f"energy_{boundary}_j"]
    words = _words_of(records)
    labels = {key: text for record in records for key, text in record.labels.items()}
    beside = {key: text for key, text in labels.items() if key in statable() and key != "chip"}
    beside |= dict(stated)
    for name, text in beside.items():
        if unit_of(name) == "text":
            words[name] = word(name, text)
            continue
        number = number_of(name, text)
        if name in quantities and name not in BETTER_KNOWN:
            raise InputError(
                f"expected a fact that the record lacks; {name} is {_there(quantities[name])}",
                f"{name}={text}",
                "leave it out",
            )
        quantities[name] = number
    known = Facts(tuple(records), quantities, words, boundary, absent)
    return _derived(known)


def _there(quantity: Quantity) -> str:
    return f"{quantity.human()} there"


def place_is_known(record: RunRecord) -> bool:
    """Whether the grid factor is of a place, and not the average of the world."""
    factor = record.factors.get("grid_location")
    return factor is not None and not factor.source.startswith(("NO ZONE", "FALLBACK"))


def _of_records(records: Sequence[RunRecord]) -> tuple[dict[str, Quantity], dict[str, str]]:
    every = [_quantities_of(record) for record in records]
    quantities: dict[str, Quantity] = {}
    absent: dict[str, str] = {}
    for name in dict.fromkeys(name for own in every for name in own):
        parts = [own[name] for own in every if name in own]
        if name in MEANS:
            whole = _mean(name, every)
        else:
            whole = parts[-1] if name in OF_THE_LAST else _sum(parts, len(records), records)
        if whole.value is None:
            absent[name] = whole.source
        else:
            quantities[name] = whole
    return quantities, absent


OF_THE_LAST = ("params_total", "params_active")
"""Facts of several runs that are not added."""

MEANS = {
    "mfu": "chip_s",
    "pue": "energy_it_j",
    "wue": "energy_it_j",
    "grid_g_per_kwh": "energy_facility_j",
}
"""Ratios, of which several runs have one mean, each by what it is a ratio to."""


def _mean(name: str, every: Sequence[Mapping[str, Quantity]]) -> Quantity:
    """A ratio of several runs: 56 g/kWh for 1 MWh and 662 g/kWh for 3 MWh are 510.5 g/kWh."""
    parts = [own[name] for own in every if name in own]
    if len(parts) == len(every) and all(part.value == parts[0].value for part in parts):
        return parts[-1]
    absent = Quantity.absent(parts[0].unit, "not in every record")
    weights = [own.get(MEANS[name], absent).value for own in every]
    whole = sum(weight or 0.0 for weight in weights)
    if len(parts) < len(every) or None in weights or not whole:
        return absent
    shares = [part.scaled((w or 0.0) / whole) for part, w in zip(parts, weights, strict=True)]
    return add(shares, source=f"mean by {MEANS[name]} of: {'; '.join(p.source for p in parts)}")


def _sum(parts: list[Quantity], runs: int, records: Sequence[RunRecord]) -> Quantity:
    if runs == 1:
        return parts[0]
    gaps = [part for part in parts if part.value is None]
    if gaps or len(parts) < runs:
        reason = gaps[0].source if gaps else "not in every record"
        return Quantity.absent(parts[0].unit, reason)
    names = [record.name for record in records]
    return add(parts, names=names, source=f"sum of {', '.join(names)}")


def _quantities_of(record: RunRecord) -> dict[str, Quantity]:
    factors = record.factors
    own = {
        "params_total": record.params_total,
        "params_active": record.params_active,
        "tokens": record.tokens,
        "model_flop": record.model_flop,
        "executed_flop": record.executed_flop,
        "elapsed_s": record.elapsed_s,
        "chip_s": record.chip_s,
        "co2_location_g": record.co2_location_g,
        "co2_market_g": record.co2_market_g,
        "co2_location_hourly_g": record.co2_location_hourly_g,
        "co2_market_hourly_g": record.co2_market_hourly_g,
        "co2_embodied_g": record.co2_embodied_g,
        "water_l": record.water_l,
        **{f"energy_{at}_j": joules for at, joules in record.totals.items()},
    }
    nodes = [e for e in record.energy if e.boundary is Boundary.NODE and e.value is not None]
    beside = {
        "metered_node_j": total(nodes) if nodes else None,
        "mfu": record.metrics.get("mfu"),
        "pue": factors.get("pue"),
        "wue": factors.get("wue"),
        "grid_g_per_kwh": factors.get("grid_location"),
    }
    return own | {name: q for name, q in beside.items() if q is not None}


def _product(name: str) -> str:
    """The product name of a chip of the catalog; another stays as it is."""
    known = known_chip(name)
    return known.name if known else name


def ended_utc(record: RunRecord) -> str:
    """When a run ended: as the log of another tool has it, else when its record was made."""
    return str(record.environment.get("ended_utc") or record.created_utc)


def _words_of(records: Sequence[RunRecord]) -> dict[str, str]:
    """Words that records have: names, chips, zones, sites, days."""
    words = {"name": records[-1].name, "written": datetime.now(UTC).isoformat(timespec="seconds")}
    if records[-1].created_utc:
        words["created"] = records[-1].created_utc
    if ended := ended_utc(records[-1]):
        words["ended"] = ended
    if all(place_is_known(record) for record in records):
        words["grid"] = records[-1].factors["grid_location"].source
    chips = dict.fromkeys(r.labels["chip"] for r in records if r.labels.get("chip"))
    if len(chips) == 1:
        words["chip"] = next(iter(chips))
    elif chips:
        words["chip_name"] = ", ".join(map(_product, chips))
    zones = {r.labels.get("zone", UNKNOWN_ZONE) for r in records}
    if len(zones) == 1 and (zone := zones.pop()) != UNKNOWN_ZONE:
        words["zone"] = zone
        if len(zone) == 3 and zone.isupper():
            words["country"] = zone
    site = records[-1].labels.get("site", "")
    if site and not site.endswith(UNKNOWN_ZONE):
        words["site_name"] = site
    if any(record.shape for record in records):
        words["algorithm"] = "transformer"
    environment = records[-1].environment
    words |= {
        key: str(environment[key]) for key in ("system", "python", "cpu") if key in environment
    }
    return words


def _derived(known: Facts) -> Facts:
    """With facts that follow from others: how many chips, FLOP by hardware, Wh a query."""
    quantities, words, absent = dict(known.quantities), dict(known.words), dict(known.absent)
    if row := known.chip:
        words["chip_name"] = row.name
        if known.has("mfu") and known.has("chip_s"):
            by_hardware = _hardware_flop(known, row)
            if by_hardware.value is None:
                absent["hardware_flop"] = by_hardware.source
            else:
                quantities["hardware_flop"] = by_hardware
    elif "chip" in words:
        words["chip_name"] = words["chip"]
    if "end" in words:
        words.setdefault("created", words["end"])
    if known.has("chip_s") and known.number("elapsed_s"):
        chips = known.number("chip_s") / known.number("elapsed_s")
        quantities["chips"] = Quantity.exact(round(chips), "1", "chip-seconds / seconds")
    if known.has("queries") and "energy_chip_j" in quantities:
        each = quantities["energy_chip_j"].scaled(1e3 / known.number("queries"))
        quantities["j_per_1000_queries"] = each
    return Facts(known.records, quantities, words, known.boundary, absent)


def _hardware_flop(known: Facts, row: Chip) -> Quantity:
    from energy.disclosure.eu_mdf import hardware_compute

    precision = str(known.records[-1].scenario.get("hardware", {}).get("precision", "bf16"))
    try:
        peak = row.peak_flop_per_s(precision if precision in ("bf16", "fp16", "fp32") else "bf16")
    except MissingDataError as error:
        return Quantity.absent("FLOP", str(error))
    mfu, seconds = known.quantities["mfu"], known.quantities["chip_s"]
    value = hardware_compute(seconds.numbers()[0], peak, mfu.numbers()[0])
    return Quantity.exact(
        value,
        "FLOP",
        f"N L H U: {seconds.numbers()[0] / 3600:,.0f} {row.name}-hours x {flop(peak)} FLOP/s "
        f"x {mfu.numbers()[0]:.3g}",
        seconds.origin.weaker(mfu.origin),
    )

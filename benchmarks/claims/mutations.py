"""Forty wrong records and forms: what the formats' own validators notice, and what ours does.

    python -m benchmarks.claims.mutations [--write docs/lint.md] [--json]

A wrong record is written in every format with our checks switched off, and each document goes to
the validator of its format; a wrong document goes to the validator of its own.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.claims.foreign import VALIDATORS
from benchmarks.claims.right import STATED, right
from benchmarks.pages import Table, markdown_table, print_table, write_between
from energy.claims.check import check
from energy.claims.records import claim_of_record
from energy.claims.rule import Finding
from energy.console import print_json
from energy.disclosure.facts import facts_of
from energy.disclosure.formats import FORMATS, write
from energy.disclosure.readers.files import claims_of
from energy.errors import AccountingError
from energy.guard import guard
from energy.quantity import Boundary, Quantity
from energy.record import RunRecord

MARK = "mutations: benchmarks.claims.mutations"

Break = Callable[[RunRecord], RunRecord]


def _times(factor: float, *names: str) -> Break:
    """Figures of a record, or of its totals and entries, times a factor."""

    def broken(record: RunRecord) -> RunRecord:
        update: dict[str, Any] = {}
        for name in names:
            if name == "energy":
                update["energy"] = [_scaled(entry, factor) for entry in record.energy]
                update["totals"] = {at: _scaled(q, factor) for at, q in record.totals.items()}
            elif name in record.factors:
                update["factors"] = record.factors | {name: _scaled(record.factors[name], factor)}
            elif name in record.metrics:
                update["metrics"] = record.metrics | {name: _scaled(record.metrics[name], factor)}
            else:
                update[name] = _scaled(getattr(record, name), factor)
        return record.model_copy(update=update)

    return broken


def _scaled(quantity: Any, factor: float) -> Any:
    ends = sorted((quantity.low * factor, quantity.high * factor))
    update = {"value": quantity.value * factor, "low": ends[0], "high": ends[1]}
    return quantity.model_copy(update=update)


def _set(**values: Any) -> Break:
    """Figures of a record in the place of its own."""

    def broken(record: RunRecord) -> RunRecord:
        update = {}
        for name, value in values.items():
            quantity: Quantity = getattr(record, name)
            number = value(record) if callable(value) else value
            update[name] = quantity.model_copy(
                update={"value": number, "low": number, "high": number}
            )
        return record.model_copy(update=update)

    return broken


def _totals(record: RunRecord, boundary: Boundary, source: Boundary, factor: float) -> RunRecord:
    changed = _scaled(record.totals[source], factor)
    return record.model_copy(update={"totals": record.totals | {boundary: changed}})


def _entries(record: RunRecord, **update: Any) -> RunRecord:
    entries = [entry.model_copy(update=update) for entry in record.energy]
    totals = {
        at: q.model_copy(update={k: v for k, v in update.items() if k in ("origin", "shares")})
        for at, q in record.totals.items()
    }
    return record.model_copy(update={"energy": entries, "totals": totals})


def _design_power(record: RunRecord) -> RunRecord:
    """Chip joules that are hours x 700 W, each boundary raised alike."""
    joules = record.totals[Boundary.CHIP].numbers()[0]
    return _times(
        record.chip_s.numbers()[0] * 700 / joules,
        "energy",
        "co2_location_g",
        "co2_market_g",
        "water_l",
    )(record)


def _labels(**labels: str) -> Break:
    return lambda record: record.model_copy(update={"labels": record.labels | labels})


def _number(record: RunRecord, name: str) -> float:
    quantity: Quantity = getattr(record, name)
    return quantity.numbers()[0]


def _water_twice(record: RunRecord) -> float:
    """The PUE on the water of the site, too: what a peer does."""
    it = record.totals[Boundary.IT].numbers()[0] / 3.6e6
    pue, wue, ewif = (record.factors[name].numbers()[0] for name in ("pue", "wue", "ewif"))
    return it * pue * (wue + pue * ewif)


RECORDS: dict[str, Break] = {
    "energy negative": _times(-1, "energy"),
    "energy in MWh read as kWh (x 1,000)": _times(1e3, "energy"),
    "energy in Wh read as J (/ 3,600)": _times(1 / 3600, "energy"),
    "CO2e in kg read as g (x 1,000)": _times(1e3, "co2_location_g"),
    "CO2e in t read as kg (/ 1,000)": _times(1e-3, "co2_location_g"),
    "CO2e negative": _times(-1, "co2_location_g"),
    "no CO2e: contracts for all of it, as location": _set(co2_location_g=0.0),
    "market figure as location": _set(co2_location_g=lambda r: _number(r, "co2_market_g")),
    "offsets subtracted from location": lambda r: _times(0.25, "co2_location_g")(r),
    "embodied added to location": _set(
        co2_location_g=lambda r: _number(r, "co2_location_g") + _number(r, "co2_embodied_g")
    ),
    "6PD with all experts": _set(
        model_flop=lambda r: 6 * _number(r, "params_total") * _number(r, "tokens")
    ),
    "chip joules as facility": lambda r: _totals(r, Boundary.FACILITY, Boundary.CHIP, 1.0),
    "facility below its IT": lambda r: _totals(r, Boundary.FACILITY, Boundary.IT, 0.9),
    "facility without the PUE": lambda r: _totals(r, Boundary.FACILITY, Boundary.IT, 1.0),
    "PUE inverted": _times(1 / 1.44, "pue"),
    "PUE in per cent": _times(100, "pue"),
    "grid factor in kg": _times(1e-3, "grid_location"),
    "grid factor in mg": _times(1e3, "grid_location"),
    "active and total parameters swapped": _set(
        params_active=lambda r: _number(r, "params_total"),
        params_total=lambda r: _number(r, "params_active"),
    ),
    "tokens in millions": _times(1e-6, "tokens"),
    "parameters in billions": _times(1e-9, "params_total", "params_active"),
    "FLOP a prefix too many": _times(1e3, "model_flop", "executed_flop"),
    "FLOP a prefix too few": _times(1e-3, "model_flop"),
    "executed FLOP below the model's": _times(0.1, "executed_flop"),
    "MFU in per cent": _times(100, "mfu"),
    "node-hours for chip-hours": _times(1 / 8, "chip_s"),
    "hours for seconds": _times(1 / 3600, "elapsed_s"),
    "TDP x hours as measured": _design_power,
    "a formula called measured": lambda r: _entries(r, api="/proc/stat: 2 cores"),
    "a device counted twice": lambda r: _totals(r, Boundary.CHIP, Boundary.CHIP, 1.5),
    "water with the PUE twice": _set(water_l=_water_twice),
    "embodied in t read as kg": _times(1e3, "co2_embodied_g"),
    "it ends before it begins": _labels(begin="2026-05-20", end="2026-05-01"),
}
"""Wrong records: what is wrong, and how it is made so from the right one."""


@dataclass(frozen=True)
class WrongForm:
    """A wrong document.

    Attributes:
        what: is wrong.
        format: of the document.
        breaks: old text and new text, or a change of the parsed document.
    """

    what: str
    format: str
    breaks: Callable[[str], str]


def _path(path: str, value: Any) -> Callable[[str], str]:
    """A document with another value at a path."""

    def broken(text: str) -> str:
        document = json.loads(text)
        *names, last = path.split(".")
        here = document
        for name in names:
            here = here[int(name)] if isinstance(here, list) else here[name]
        here[int(last) if isinstance(here, list) else last] = value
        return json.dumps(document)

    return broken


CONSIDERATIONS = (
    "components.0.modelCard.considerations.environmentalConsiderations.energyConsumptions.0"
)


def _spent(path: str, value: Any) -> Callable[[str], str]:
    """A CycloneDX document with another value in its consumption of energy."""
    return _path(f"{CONSIDERATIONS}.{path}", value)


FORMS = (
    WrongForm("emissions: 40 t", "hf-card", lambda text: _line(text, "40 t")),
    WrongForm("emissions: 1.2e6", "hf-card", lambda text: _line(text, "1.2e6")),
    WrongForm("emissions: -5", "hf-card", lambda text: _line(text, "-5")),
    WrongForm("kgCO2eq for tCO2eq", "cyclonedx", _spent("co2CostEquivalent.unit", "kgCO2eq")),
    WrongForm("energy negative", "cyclonedx", _spent("activityEnergyCost.value", -5)),
    WrongForm("5e-05 as xsd:decimal", "spdx", lambda text: _quantity(text, "5e-05")),
    WrongForm(
        "parameters not in billions", "boamps", _path("task.algorithms.0.parametersNumber", 6e10)
    ),
)
"""Wrong documents, each made from the right one."""


def _line(text: str, value: str) -> str:
    lines = [
        f"  emissions: {value}" if line.startswith("  emissions:") else line
        for line in text.splitlines()
    ]
    return "\n".join(lines)


def _quantity(text: str, value: str) -> str:
    document = json.loads(text)
    for node in document["@graph"]:
        for spent in node.get("ai_energyConsumption", {}).get("ai_trainingEnergyConsumption", []):
            spent["ai_energyQuantity"] = value
    return json.dumps(document)


@dataclass(frozen=True)
class Verdict:
    """What was said of something wrong.

    Attributes:
        what: is wrong.
        foreign: validators of the formats that refused it, by format.
        shown_to: validators that saw it.
        ours: rules of ours that it breaks.
    """

    what: str
    foreign: tuple[str, ...]
    shown_to: tuple[str, ...]
    ours: tuple[str, ...]


def verdicts() -> list[Verdict]:
    """Every wrong record and form, judged by everybody."""
    with tempfile.TemporaryDirectory() as folder:
        wrong = [_of_record(what, broken(right())) for what, broken in RECORDS.items()]
        return wrong + [_of_form(form, Path(folder)) for form in FORMS]


def _of_record(what: str, record: RunRecord) -> Verdict:
    """A wrong record, by our rules and in each format by its validator."""
    record = RunRecord.model_validate(record.model_dump())
    refused, shown_to = [], []
    for name, validate in VALIDATORS.items():
        try:
            text = write(name, facts_of([record], STATED), "x")
        except AccountingError:
            continue  # a writer of ours refuses it before anybody sees it
        shown_to.append(name)
        if validate(text) is not None:
            refused.append(name)
    return Verdict(
        what, tuple(refused), tuple(shown_to), _rules(check(claim_of_record(record, what)))
    )


def _of_form(form: WrongForm, folder: Path) -> Verdict:
    text = form.breaks(write(form.format, facts_of([right()], STATED), "x"))
    path = folder / f"wrong{FORMATS[form.format].ending}"
    path.write_text(text, encoding="utf-8")
    problem = VALIDATORS[form.format](text)
    findings = [finding for claim in claims_of(path) for finding in check(claim)]
    refused = () if problem is None else (form.format,)
    return Verdict(f"{form.format}: {form.what}", refused, (form.format,), _rules(findings))


def _rules(findings: list[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.rule for finding in findings))


def table(every: Sequence[Verdict]) -> Table:
    """A line for everything wrong."""
    rows = []
    for verdict in every:
        names = ", ".join(verdict.foreign) or "none"
        rules = ", ".join(f"`{rule}`" for rule in verdict.ours) or "none"
        rows.append((verdict.what, f"{names} of {len(verdict.shown_to)}", rules))
    theirs, ours = (sum(bool(getattr(v, who)) for v in every) for who in ("foreign", "ours"))
    rows.append((f"**{len(every)} wrong**", f"**{theirs} noticed**", f"**{ours} noticed**"))
    return ("wrong", "formats' own validators that noticed", "rules of ours"), rows


def main() -> None:
    """Print the table, or write it into a page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: run(options.write, as_json=options.json))


def run(page: Path | None, *, as_json: bool) -> None:
    """Judge, and show it."""
    every = verdicts()
    if as_json:
        print_json([vars(verdict) for verdict in every])
        return
    heads, rows = table(every)
    if page is None:
        print_table(heads, rows)
    else:
        write_between(page, MARK, markdown_table(heads, rows))


if __name__ == "__main__":
    main()

"""Records for the tests of formats, and everything that forms ask for beside a record."""

from __future__ import annotations

from energy.disclosure.facts import Facts, facts_of
from energy.facts.site import site
from energy.footprint.apply import at_site
from energy.quantity import Boundary, Origin, Quantity
from energy.record import EnergyEntry, Kind, RunRecord, totals
from tests.support.records import run_record

STATED = {
    "training_type": "pre-training",
    "functional_unit": "token",
    "co2_embodied_g": "12 kg",
    "co2_offset_g": "3 kg",
    "task_stage": "training",
    "task_family": "text generation",
    "data_type": "text",
    "infra_type": "onPremise",
    "download_location": "https://example.org/model",
    "model_version": "1.0",
    "organization": "Example & Sons <b>",
    "activity": "training",
    "energy_supplier": "Example Power",
    "energy_source": "unknown",
    "begin": "2026-05-01",
    "end": "2026-05-21",
    "operator": "Example",
}

DEVICES = ("GPU-0", "GPU-1", "cpu-package-0", "memory")


def metered(
    name: str = "run <1> & co",
    kwh: float = 5000.0,
    *,
    zone: str | None = "FRA",
    kind: Kind = Kind.MEASURED,
    boundary: Boundary = Boundary.NODE,
    flop: float = 1.2e22,
) -> RunRecord:
    """A run of 20 days on 16 H100, metered at some boundary, at a site in France."""
    days, chips = 20.0, 16
    origin = Origin.MEASURED if kind is Kind.MEASURED else Origin.MODELLED
    base = run_record(name, kind, flop=flop, elapsed_s=days * 86_400, chips=chips, tokens=2e11)
    joules = kwh * 3.6e6
    parts = (0.4, 0.4, 0.15, 0.05)
    devices = ("node-1",) if boundary is Boundary.NODE else DEVICES
    entries = [
        EnergyEntry(
            **Quantity.of(
                joules * (share if len(devices) > 1 else 1.0), "J", "test", origin, relative=0.05
            ).model_dump(),
            device=device,
            boundary=boundary,
            api="PSU" if len(devices) == 1 else f"counter of {device}",
        )
        for device, share in zip(devices, parts, strict=False)
    ]
    record = base.model_copy(
        update={
            "created_utc": "2026-05-21T12:00:00+00:00",
            "params_total": Quantity.exact(1e10, "1", "shape"),
            "params_active": Quantity.exact(1e10, "1", "shape"),
            "energy": entries,
            "totals": totals(entries),
            "factors": {},
            "metrics": {"mfu": Quantity.exact(0.44, "1", "test", Origin.MODELLED)},
            "labels": {"chip": "h100"},
        }
    )
    return at_site(record, site(zone, pue=1.2))


def known(*records: RunRecord, **stated: str) -> Facts:
    """The facts of some records with all that forms ask for."""
    return facts_of(records or (metered(),), STATED | stated)

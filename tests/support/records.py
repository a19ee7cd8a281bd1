"""RunRecords for tests, made from a few numbers."""

from __future__ import annotations

from energy.quantity import Boundary, Origin, Quantity
from energy.record import EnergyEntry, Kind, RunRecord, Window, nothing_wasted, totals


def quantity(
    value: float, unit: str, origin: Origin = Origin.MEASURED, relative: float = 0.0
) -> Quantity:
    """A quantity of a test."""
    return Quantity.of(value, unit, "test", origin, relative=relative)


def run_record(
    name: str = "run",
    kind: Kind = Kind.MEASURED,
    *,
    tokens: float = 1e6,
    flop: float = 1e15,
    elapsed_s: float = 100.0,
    chips: float = 1.0,
    it_j: float = 1e4,
    pue: float = 1.2,
    grid_g_per_kwh: float = 400.0,
    steps: int = 10,
    origin: Origin = Origin.MEASURED,
    relative: float = 0.0,
    created_utc: str = "",
    **labels: str,
) -> RunRecord:
    """A whole record, with its joules at the boundaries IT and facility."""

    def q(value: float, unit: str) -> Quantity:
        return quantity(value, unit, origin, relative)

    entry = EnergyEntry(**q(it_j, "J").model_dump(), device="node", boundary=Boundary.IT)
    facility = q(it_j * pue, "J")
    absent = Quantity.absent("1", "not given")
    return RunRecord(
        name=name,
        kind=kind,
        created_utc=created_utc,
        tokens=Quantity.exact(tokens, "1", "test"),
        params_total=Quantity.exact(100.0, "1", "test"),
        params_active=Quantity.exact(100.0, "1", "test"),
        model_flop=q(flop, "FLOP"),
        executed_flop=q(flop, "FLOP"),
        elapsed_s=q(elapsed_s, "s"),
        chip_s=q(elapsed_s * chips, "s"),
        energy=[entry],
        totals={**totals([entry]), Boundary.FACILITY: facility},
        co2_location_g=q(it_j * pue * grid_g_per_kwh / 3.6e6, "g"),
        co2_market_g=q(it_j * pue * grid_g_per_kwh / 7.2e6, "g"),
        co2_embodied_g=absent,
        water_l=absent,
        cost_usd=absent,
        wasted=nothing_wasted("test", Origin.MEASURED),
        factors={"pue": quantity(pue, "1")},
        windows=[Window(name="step", count=steps, elapsed_s=q(elapsed_s, "s"), energy_j=absent)],
        labels=dict(labels),
    )

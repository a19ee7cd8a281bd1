"""A right record with everything that can be wrong in one, and what forms ask for beside it."""

from __future__ import annotations

from energy.facts.site import site
from energy.footprint.apply import at_site
from energy.quantity import Boundary, Origin, Quantity
from energy.record import EnergyEntry, Kind, RunRecord, Window, nothing_wasted, totals

STATED = {
    "training_type": "pre-training",
    "functional_unit": "flop",
    "co2_offset_g": "300 kg",
    "task_stage": "training",
    "task_family": "text generation",
    "data_type": "text",
    "infra_type": "onPremise",
    "download_location": "https://example.org/model",
    "model_version": "1.0",
    "organization": "Example",
    "activity": "training",
    "energy_supplier": "Example Power",
    "energy_source": "unknown",
    "country": "FRA",
}

CHIPS, DAYS, WATTS = 64, 14, 600.0


def right() -> RunRecord:
    """A mixture of experts on 64 H100 for 14 days: 13 MWh at the boards, MFU 41 %, in France."""
    elapsed_s = DAYS * 86_400.0
    chip_s = CHIPS * elapsed_s
    source = "made for the benchmark of mutations"

    def exact(value: float, unit: str) -> Quantity:
        return Quantity.exact(value, unit, source)

    absent = {unit: Quantity.absent(unit, "no site yet") for unit in ("g", "L", "USD")}
    joules = chip_s / 8 * WATTS
    of_node = Quantity.of(joules, "J", source, Origin.MEASURED, relative=0.05)
    entries = [
        EnergyEntry(
            **of_node.model_dump(),
            device=f"node-{node} boards",
            boundary=Boundary.CHIP,
            api="NVML energy counter",
        )
        for node in range(8)
    ]
    flop = 6 * 13e9 * 4e11
    bare = RunRecord(
        name="right",
        kind=Kind.MEASURED,
        created_utc="2026-05-20T12:00:00+00:00",
        tokens=exact(4e11, "1"),
        params_total=exact(60e9, "1"),
        params_active=exact(13e9, "1"),
        model_flop=exact(flop, "FLOP"),
        executed_flop=exact(1.2 * flop, "FLOP"),
        elapsed_s=exact(elapsed_s, "s"),
        chip_s=exact(chip_s, "s"),
        energy=entries,
        totals=totals(entries),
        co2_location_g=absent["g"],
        co2_market_g=absent["g"],
        co2_embodied_g=absent["g"],
        water_l=absent["L"],
        cost_usd=absent["USD"],
        wasted=nothing_wasted(source, Origin.MEASURED),
        metrics={"mfu": exact(flop / chip_s / 989e12, "1")},
        windows=[
            Window(name="step", count=1000, elapsed_s=exact(elapsed_s, "s"), energy_j=exact(1, "J"))
        ],
        shape={"n_moe_layers": 16, "d_model": 4096, "seq_len": 4096},
        labels={"chip": "h100", "begin": "2026-05-06", "end": "2026-05-20"},
    )
    return at_site(bare, site("FRA", pue=1.2, wue=0.4, ewif=1.6, grid_market=12.0))

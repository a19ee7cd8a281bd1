"""What a RunRecord claims."""

from __future__ import annotations

from energy.claims.claim import Claim
from energy.facts.site import UNKNOWN_ZONE
from energy.quantity import Boundary, Quantity
from energy.record import RunRecord, totals


def claim_of_record(record: RunRecord, where: str) -> Claim:
    """A record as a claim: its figures in SI, and the words that rules look at.

    Its joules are those of the innermost boundary, which a meter or the simulator gave; the wider
    ones stand beside them.
    """
    factors = record.factors
    quantities: dict[str, Quantity | None] = {
        "params_total": record.params_total,
        "params_active": record.params_active,
        "tokens": record.tokens,
        "flop": record.model_flop,
        "executed_flop": record.executed_flop,
        "elapsed_s": record.elapsed_s,
        "chip_s": record.chip_s,
        "co2_g": record.co2_location_g,
        "co2_market_g": record.co2_market_g,
        "co2_embodied_g": record.co2_embodied_g,
        "water_l": record.water_l,
        "mfu": record.metrics.get("mfu"),
        "pue": factors.get("pue"),
        "wue": factors.get("wue"),
        "ewif": factors.get("ewif"),
        "grid_g_per_kwh": factors.get("grid_location"),
        "market_g_per_kwh": factors.get("grid_market"),
        "sum_of_entries_j": totals(record.energy).get(Boundary.CHIP),
        **{f"energy_{boundary}_j": joules for boundary, joules in record.totals.items()},
    }
    words = {"name": record.name, "record": str(record.kind), "chip": record.labels.get("chip", "")}
    words |= {key: record.labels[key] for key in ("begin", "end") if key in record.labels}
    words["precision"] = str(record.scenario.get("hardware", {}).get("precision", ""))
    zone = record.labels.get("zone", UNKNOWN_ZONE)
    words |= {} if zone == UNKNOWN_ZONE else {"zone": zone}
    words |= {"kind": "moe"} if record.shape.get("n_moe_layers") else {}
    if record.totals:
        inner = min(record.totals, key=list(Boundary).index)
        quantities["energy_j"] = record.totals[inner]
        words |= {"boundary": str(inner), "origin": str(record.totals[inner].origin)}
        words |= {"basis": words["origin"]}
    if record.energy:
        words["api"] = record.energy[0].api
    sizes = {"d_model": "d_model", "seq_len": "seq_len", "layers": "n_layers", "d_ff": "d_ff"}
    numbers = {name: float(record.shape[key]) for name, key in sizes.items() if key in record.shape}
    parts = [window.elapsed_s for window in record.windows]
    parts += [phase.elapsed_s for phase in record.phases]
    longest = max((part.value or 0.0 for part in parts), default=0.0)
    numbers |= {"longest_part_s": longest} if longest else {}
    numbers |= {
        name: quantity.value
        for name, quantity in quantities.items()
        if quantity is not None and quantity.value is not None
    }
    return Claim(where, numbers, words)

"""The page of `simulator calibrate`: what a machine can do, and how well the rows are told."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from energy.reports.words import console, table
from energy.units import si
from simulator.fit.machine import Machine
from simulator.physics.constants import PRIORS


def told(machine: Machine) -> dict[str, Any]:
    """Hardware, constants and provenance, for JSON."""
    return {
        "hardware": asdict(machine.hardware),
        "constants": asdict(machine.constants),
        "provenance": machine.provenance,
    }


def page(machine: Machine, out: Path) -> None:
    """Print a machine and its constants."""
    hardware, provenance, screen = machine.hardware, machine.provenance, console()
    screen.print(
        f"[bold]{hardware.name}[/bold]: {provenance['rows']} timed operations, "
        f"median error {100 * provenance['median_abs_error']:.1f} %"
    )
    screen.print(
        f"  best product  {si(float(hardware.peak_flop_per_s), 'FLOP/s')} ({hardware.precision})"
    )
    screen.print(f"  memory stream {si(float(hardware.memory_bytes_per_s), 'B/s')}")
    idle_w, busy_w = float(hardware.idle_w), float(hardware.busy_w)
    screen.print(f"  watts         {idle_w:.1f} idle to {busy_w:.1f} ({hardware.power_source})")
    rows = table("constant", "fitted", "prior", "unit", "meaning")
    for name, value in asdict(machine.constants).items():
        before = PRIORS[name]
        weak = provenance["not_identified"].get(name)
        rows.add_row(
            name,
            f"{value:.3g}",
            f"{before.value:.3g}",
            before.unit,
            before.meaning + (f" [dim]({weak})[/dim]" if weak else ""),
        )
    screen.print(rows)
    errors = provenance["median_abs_error_by_operation"]
    words = ", ".join(f"{name} {100 * error:.0f} %" for name, error in errors.items())
    screen.print(f"median error by operation: {words}")
    if not provenance["quiet"]:
        screen.print(
            "[yellow]the rows scatter: the machine did other work while it was probed; "
            "probe again when it is quiet[/yellow]"
        )
    screen.print(f"machine file: {out}")

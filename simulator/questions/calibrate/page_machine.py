"""The page of `simulator calibrate` for one machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table as Page

from energy.reports.words import table
from energy.units import si
from simulator.fit.machine import Machine
from simulator.physics.constants import PRIORS


def machine_page(machine: Machine, path: Path, screen: Console) -> None:
    """Print a machine, its constants, and how well the timed operations determine them."""
    hardware, provenance = machine.hardware, machine.provenance
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
    screen.print(_constants(machine))
    errors = provenance["median_abs_error_by_operation"]
    by_operation = ", ".join(f"{name} {100 * error:.0f} %" for name, error in errors.items())
    screen.print(f"median error by operation: {by_operation}")
    if not provenance["quiet"]:
        screen.print(
            "[yellow]the rows scatter: the machine did other work while it was probed; "
            "probe again when it is quiet[/yellow]"
        )
    screen.print(f"machine file: {path}")


def _constants(machine: Machine) -> Page:
    page = table("constant", "fitted", "prior", "unit", "meaning")
    for name, value in asdict(machine.constants).items():
        prior = PRIORS[name]
        reason = machine.provenance["not_identified"].get(name)
        page.add_row(
            name,
            f"{value:.3g}",
            f"{prior.value:.3g}",
            prior.unit,
            prior.meaning + (f" [dim]({reason})[/dim]" if reason else ""),
        )
    return page

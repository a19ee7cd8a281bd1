"""The page of `simulator calibrate` for one machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.table import Table

from energy.reports.terminal import table
from energy.units import si
from simulator.kit.answer import Terminal
from simulator.physics.constants import PRIORS
from simulator.questions.calibrate.answer import FittedMachine


def machine_page(answer: FittedMachine, console: Terminal) -> None:
    """Print a machine, its constants, and how well the timed operations determine them."""
    hardware, provenance = answer.machine.hardware, answer.machine.provenance
    console.print(
        f"[bold]{hardware.name}[/bold]: {provenance['rows']} timed operations, "
        f"median error {100 * provenance['median_abs_error']:.1f} %"
    )
    console.print(
        f"  best product  {si(float(hardware.peak_flop_per_s), 'FLOP/s')} ({hardware.precision})"
    )
    console.print(f"  memory stream {si(float(hardware.memory_bytes_per_s), 'B/s')}")
    idle_w, busy_w = float(hardware.idle_w), float(hardware.busy_w)
    console.print(f"  watts         {idle_w:.1f} idle to {busy_w:.1f} ({hardware.power_source})")
    console.print(_constants(answer))
    errors = provenance["median_abs_error_by_operation"]
    by_operation = ", ".join(f"{name} {100 * error:.0f} %" for name, error in errors.items())
    console.print(f"median error by operation: {by_operation}")
    if not provenance["quiet"]:
        console.print(
            "[yellow]the rows scatter: the machine did other work while it was probed; "
            "probe again when it is quiet[/yellow]"
        )
    if answer.path is not None:
        console.print(f"machine file: {answer.path}")


def _constants(answer: FittedMachine) -> Table:
    rows = table("constant", "fitted", "prior", "unit", "meaning")
    for name, value in answer.values.items():
        prior, reason = PRIORS[name], answer.not_identified.get(name)
        rows.add_row(
            name,
            f"{value:.3g}",
            f"{prior.value:.3g}",
            prior.unit,
            prior.meaning + (f" [dim]({reason})[/dim]" if reason else ""),
        )
    return rows


def machine_as_json(answer: FittedMachine) -> dict[str, Any]:
    """Hardware, constants and provenance."""
    return {
        "hardware": asdict(answer.machine.hardware),
        "constants": asdict(answer.machine.constants),
        "provenance": answer.machine.provenance,
    }

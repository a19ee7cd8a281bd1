"""What a sensor of the kernel meters, by driver and label: a name, a kind, what contains it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from energy.meters.files import fact_rows


@dataclass(frozen=True)
class Named:
    """What a sensor meters.

    Attributes:
        id: name of the domain.
        kind: gpu, cpu, module, node, ...
        within: domains that contain it, the nearest first.
    """

    id: str
    kind: str
    within: tuple[str, ...] = ()


def named(chip: str, kind: str, folder: Path, stem: str, label: str) -> Named | None:
    """What a sensor meters; None for one that meters nothing, or a part that is not read.

    Args:
        chip: the driver, as the file `name` says it.
        kind: gpu for graphics cards, rail for a supply rail of a module, server for the others.
        folder: the folder of the sensor.
        stem: the file without its ending, as in power1.
        label: what the driver or the firmware calls the sensor; may be empty.
    """
    if kind == "gpu":
        return _card(folder, stem, label)
    if kind == "rail":
        return _rail(label)
    return _server_part(chip, label, Named(f"node-{folder.name}-{stem}", "node"))


def _card(folder: Path, stem: str, label: str) -> Named:
    """An Intel card, by its PCI address; its other sensors are parts of it."""
    device = folder / "device"
    card = f"gpu-{device.resolve().name if device.exists() else folder.name}"
    if stem == "energy1" and label in ("", "card"):
        return Named(card, "gpu")
    return Named(f"{card}/{label or stem}", "gpu", (card,))


def _rail(label: str) -> Named | None:
    """A supply rail of a Jetson module; the total of the module contains the others."""
    if not label or label.startswith("NC"):
        return None
    for row in fact_rows("jetson_rails.csv"):
        if row["rail"] == label:
            return Named(row["id"], row["kind"], () if row["total"] == "yes" else ("module",))
    return Named(f"rail-{label}", "rail", ("module",))


def _server_part(chip: str, label: str, node: Named) -> Named | None:
    """A part of a server by its label; the whole node where the label names no part.

    'Module Power Socket 0' is module-0, 'Grace Power Socket 0' in it is cpu-0, and its rails are
    cpu-rail-0 and sysio-0. 'Esocket0' is cpu-0; 'Ecore012' is part of a socket and not read.
    """
    text = label.lower()
    number = "".join(c for c in text.rsplit(" ", 1)[-1] if c.isdigit()) or "0"
    cpu, module = f"cpu-{number}", f"module-{number}"
    if chip == "amd_energy":
        return None if text.startswith("ecore") else Named(cpu, "cpu")
    first = text.split(" ", 1)[0]
    parts = {
        "module": Named(module, "module"),
        "grace": Named(cpu, "cpu", (module,)),
        "cpu": Named(f"cpu-rail-{number}", "cpu", (cpu, module)),
        "sysio": Named(f"sysio-{number}", "sysio", (cpu, module)),
    }
    return parts.get(first, node)

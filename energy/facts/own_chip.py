"""A chip of one's own: a TOML file with peaks, memory, links, watts and price."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from energy.errors import InputError, nearest
from energy.facts.chip_rows import Chip
from energy.inputs import is_number, read_toml, shown
from energy.quantity import Boundary

TEMPLATE = """\
# A chip of your own, in SI units: simulator predict --chip my-chip.toml ...
# Peaks are dense, of one chip as software sees it. Keys that do not apply are left out.
name = "My accelerator"
architecture = "hopper"           # whose chips reach similar fractions of their peaks
peak_bf16_flop_per_s = 9.89e14    # also: fp16, tf32, fp32, fp8, fp4, and peak_int8_op_per_s
memory_bytes = 8e10
memory_bytes_per_s = 3.35e12
link_bytes_per_s = 4.5e11         # all fast links of a chip together, one direction
link_domain_chips = 8             # chips that they join
link_axes = 0                     # of a torus; 0 for a switch
network_bytes_per_s = 5e10        # a chip's share of the network, one direction
tdp_w = 700
# idle_w = 70
# mean_w = 600                    # in training, where it was measured
# host_w = 150                    # a chip's share of what its node draws besides
# price_usd_per_h = 2.5           # of one chip; then it is the whole cost
"""
"""What `simulator chips init` writes."""

WORDS = ("name", "vendor", "architecture", "link", "tdp_term", "notes")
"""Keys whose values are words."""

COUNTS = ("year", "link_domain_chips", "link_axes")
"""Keys whose values are whole numbers."""

MOST = 1e30
"""More than any chip has of anything."""

NEEDED = ("memory_bytes", "memory_bytes_per_s", "tdp_w")
"""Keys without which nothing can be predicted."""

NUMBERS = tuple(
    name
    for name, kind in get_type_hints(Chip).items()
    if kind in (float | None, int | None) and name not in COUNTS
)
KEYS = (*WORDS, *COUNTS, *NUMBERS)


def read(path: Path) -> Chip:
    """Read a chip; its id is the path, so that it is read again wherever the id is named.

    Raises:
        InputError: there is no such file, it is not TOML, a key is unknown or needed and absent,
            or a value is not of its kind.
    """
    fix = "write one with: simulator chips init FILE.toml"
    values = read_toml(path, "the file of a chip", fix)
    for key, value in values.items():
        if key not in KEYS:
            raise InputError(f"expected a known key in {path}", key, nearest(key, KEYS))
        _require_kind(key, value, path)
    absent = [key for key in NEEDED if key not in values]
    if not any(key.startswith("peak_") for key in values):
        absent.insert(0, "peak_bf16_flop_per_s")
    if absent:
        raise InputError(
            f"expected {absent[0]} in {path}", "nothing", f"add a line for {absent[0]}"
        )
    every: dict[str, Any] = dict.fromkeys((item.name for item in fields(Chip)), None)
    known = {"id": str(path), "aliases": (), "name": path.stem, "kind": "gpu"}
    checked = {"source": f"own file {path}", "status": "assumed", "unconfirmed_fields": "all"}
    measured = (
        {"power_boundary": Boundary.CHIP} if values.keys() & {"idle_w", "mean_w", "max_w"} else {}
    )
    return Chip(**every | known | checked | measured | values)


def _require_kind(key: str, value: object, path: Path) -> None:
    """Words are words, and numbers finite and not negative."""
    if key in WORDS:
        good, kind = isinstance(value, str), "words"
    else:
        good = is_number(value, 0, MOST) and (key not in COUNTS or isinstance(value, int))
        kind = "a whole number" if key in COUNTS else "a number of 0 or more"
    if not good:
        raise InputError(f"expected {key} in {path} as {kind}", shown(value))

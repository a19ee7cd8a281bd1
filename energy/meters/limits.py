"""The most watts that a device can draw: what its driver allows, or what its name plate states.

A reading that would need more than this has not happened, and a stretch without readings has spent
no more. Zero means that nothing states it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from energy.meters.files import fact_rows, text_of

W_PER_MW, W_PER_UW = 1e-3, 1e-6

NO_LIMIT_W = 4000.0
"""A greater limit of a processor package is the register's way of saying that there is none."""


def of_nvidia_board(nvml: Any, handle: Any, product: str) -> float:
    """The greatest power limit that the driver accepts for a board, else its name plate."""
    try:
        _, most_mw = nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)
        return float(most_mw) * W_PER_MW
    except nvml.NVMLError:
        return name_plate_w(product)


def name_plate_w(product: str) -> float:
    """The greatest watts in chips.csv of GPUs whose model is a word of a product's name.

    'Tesla V100-SXM2-16GB' has the word V100, and gets the 300 W of the strongest V100.
    """
    words = set(re.findall(r"[a-z0-9]+", product.lower()))
    rows = [row for row in fact_rows("chips.csv") if row["kind"] == "gpu"]
    stated = [row[name] for row in rows if _family(row) in words for name in ("tdp_w", "max_w")]
    return max((float(text) for text in stated if text != "unknown"), default=0.0)


def of_zone(folder: Path) -> float:
    """The greatest power that the constraints of a powercap zone allow or state as possible.

    Constraints are for the long term (the TDP), the short term and peaks. A greatest power of 0 is
    not stated, and a firmware may set limits above what a register calls the greatest power.
    """
    stated = [
        int(text) * W_PER_UW
        for name in ("constraint_*_max_power_uw", "constraint_*_power_limit_uw")
        for text in map(text_of, folder.glob(name))
        if text.isdigit()
    ]
    return max((watts for watts in stated if watts < NO_LIMIT_W), default=0.0)


def constraints_of_zone(folder: Path) -> dict[str, float]:
    """The power limits that are in force in a powercap zone, by name: long_term, short_term, ..."""
    limits = {}
    for file in sorted(folder.glob("constraint_*_power_limit_uw")):
        name = text_of(folder / file.name.replace("_power_limit_uw", "_name"))
        text = text_of(file)
        if name and text.isdigit() and 0 < int(text) * W_PER_UW < NO_LIMIT_W:
            limits[name] = int(text) * W_PER_UW
    return limits


def _family(row: dict[str, str]) -> str:
    """The word of a row's id that names its model: 'v100', '4090' of 'rtx-4090-24gb'."""
    words: list[str] = row["id"].split("-")
    return next((word for word in words if re.search(r"\d", word)), words[0])

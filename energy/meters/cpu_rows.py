"""Watts of one visible processor: the row of the processor that is here, else the defaults."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "facts" / "data"


@dataclass(frozen=True)
class Watts:
    """Watts of one core, thread or GiB, idle and busy, with a band as factors and a source."""

    idle_w: float
    busy_w: float
    low: float
    high: float
    source: str


def defaults() -> dict[str, Watts]:
    """The rows of cpu_defaults.csv by kind."""
    return {
        row["kind"]: Watts(
            float(row["idle_w"]),
            float(row["busy_w"]),
            float(row["low_factor"]),
            float(row["high_factor"]),
            row["source"],
        )
        for row in _rows("cpu_defaults.csv")
    }


def watts(cpuinfo: str) -> Watts:
    """Watts of one visible processor of this machine.

    TDP over the threads of a socket, or over its cores where its threads are not shown; idle by
    the share of the defaults. EPYC 7763: 280 W / 128 threads = 2.19 W busy, 0.66 W idle.

    Args:
        cpuinfo: text of /proc/cpuinfo.
    """
    general = defaults()["cpu"]
    found = _socket(_field(cpuinfo, "model name"))
    if found is None:
        return general
    chip, socket = found
    siblings, cores = _field(cpuinfo, "siblings"), _field(cpuinfo, "cpu cores")
    threads = int(siblings) / int(cores) if siblings.isdigit() and cores.isdigit() else 1.0
    busy_w = float(chip["tdp_w"]) / (int(socket["cores"]) * max(1.0, threads))
    return Watts(
        busy_w * general.idle_w / general.busy_w,
        busy_w,
        general.low,
        general.high,
        f"{chip['name'].split(' (')[0]}: {chip['tdp_w']} W {chip['tdp_term']}, "
        f"{socket['cores']} cores (chips.csv row {chip['id']}, {chip['source']}); "
        f"idle share and band as cpu_defaults.csv: {general.source}",
    )


def _socket(model: str) -> tuple[dict[str, str], dict[str, str]] | None:
    """The rows of a processor by the number in its name; None for one that is not there."""
    words = set(re.sub(r"\((?:R|TM)\)|@.*", " ", model, flags=re.IGNORECASE).split())
    sockets = {row["id"]: row for row in _rows("cpu_sockets.csv")}
    for chip in _rows("chips.csv"):
        if chip["kind"] == "cpu" and chip["id"] in sockets and chip["tdp_w"] != "unknown":
            _, *family, number = chip["name"].split(" (")[0].split()
            if number in words and family[0] in words:
                return chip, sockets[chip["id"]]
    return None


def _field(cpuinfo: str, name: str) -> str:
    """The first value of a field of /proc/cpuinfo; empty where there is none."""
    found = re.search(rf"^{name}\s*:\s*(.*)$", cpuinfo, flags=re.MULTILINE)
    return found[1].strip() if found else ""


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))

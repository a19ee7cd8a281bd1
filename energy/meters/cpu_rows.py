"""Watts of one visible processor, from the row of this machine's processor or from defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass

from energy.meters.files import cpuinfo_field, fact_rows


@dataclass(frozen=True)
class Watts:
    """Idle and busy watts of one core, thread or GiB, with a band (as factors) and a source."""

    idle_w: float
    busy_w: float
    low: float
    high: float
    source: str


def defaults() -> dict[str, Watts]:
    """The rows of cpu_defaults.csv, by kind."""
    return {
        row["kind"]: Watts(
            float(row["idle_w"]),
            float(row["busy_w"]),
            float(row["low_factor"]),
            float(row["high_factor"]),
            row["source"],
        )
        for row in fact_rows("cpu_defaults.csv")
    }


def watts(cpuinfo: str) -> Watts:
    """Watts of one visible processor of this machine.

    Busy watts are the TDP divided by the threads of a socket, or by its cores where threads are
    not visible; idle watts are the same share of busy watts as in the defaults. Example: EPYC 7763
    with 280 W / 128 threads = 2.19 W busy, 0.66 W idle.

    Args:
        cpuinfo: text of /proc/cpuinfo.
    """
    general = defaults()["cpu"]
    rows = _socket_rows(cpuinfo_field(cpuinfo, "model name"))
    if rows is None:
        return general
    chip, socket = rows
    siblings, cores = cpuinfo_field(cpuinfo, "siblings"), cpuinfo_field(cpuinfo, "cpu cores")
    threads = int(siblings) / int(cores) if siblings.isdigit() and cores.isdigit() else 1.0
    busy_w = float(chip["tdp_w"]) / (int(socket["cores"]) * max(1.0, threads))
    return Watts(
        busy_w * general.idle_w / general.busy_w,
        busy_w,
        general.low,
        general.high,
        f"{chip['name'].split(' (')[0]}: {chip['tdp_w']} W {chip['tdp_term']}, "
        f"{socket['cores']} cores (chips.csv row {chip['id']}, {chip['source']}); "
        f"idle share and band from cpu_defaults.csv: {general.source}",
    )


def socket_w(cpuinfo: str) -> float:
    """TDP of a socket of this machine by its row in chips.csv; 0 if it is not listed."""
    rows = _socket_rows(cpuinfo_field(cpuinfo, "model name"))
    return float(rows[0]["tdp_w"]) if rows is not None else 0.0


def _socket_rows(model_name: str) -> tuple[dict[str, str], dict[str, str]] | None:
    """The rows of a processor in chips.csv and cpu_sockets.csv; None if it is not listed.

    A row matches when the family and the number in its name are words of the model name.
    """
    words = set(re.sub(r"\((?:R|TM)\)|@.*", " ", model_name, flags=re.IGNORECASE).split())
    sockets = {row["id"]: row for row in fact_rows("cpu_sockets.csv")}
    for chip in fact_rows("chips.csv"):
        if chip["kind"] == "cpu" and chip["id"] in sockets and chip["tdp_w"] != "unknown":
            _, *family, number = chip["name"].split(" (")[0].split()
            if number in words and family[0] in words:
                return chip, sockets[chip["id"]]
    return None

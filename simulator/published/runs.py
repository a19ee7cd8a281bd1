"""Rows of published whole runs: tokens, chip-hours, watts and energy, each with its boundary.

The columns are those of `simulator/published/runs.csv`, by name in any order; missing ones are
blank. What a run did is told apart from what was measured of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.errors import AccountingError, InputError
from simulator.published.tables import Cells, read_table
from simulator.published.throughput import ThroughputRow, parse

DENSE, MOE = "dense", "moe"


TRAINED = ("pretrain", "train", "lora", "finetune", "step_benchmark", "distil")
"""Beginnings of the workloads that are one training run of a Transformer."""


USUAL_CHIPS = 256
"""Chips of a run that does not say: the middle of those that do."""


ASPECT = 128
"""Width over layers of a decoder whose sizes are not given (GPT-3: 12,288 / 96)."""


SCOPES = {
    "gpu only x pue": "chip",
    "gpu only": "chip",
    "system": "system",
    "node": "node",
    "gpu + cpu": "system",
}


MEASURED = ("measured",)
"""Beginnings of the bases that may judge an energy model."""


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One whole run.

    Attributes:
        run_id: its name.
        developer: who ran it: the fold it belongs to.
        kind: dense or moe.
        configuration: what is predicted, as a row of throughput without a figure.
        tokens: of the run; None where only its FLOP are known.
        flop: reported training FLOP; None where only its tokens are known.
        utilisation: reported share of the peak.
        scope: where watts were read: chip, system (with its share of host and network) or node.
        pue: facility over IT energy.
        chip_hours: reported; None is unknown.
        watts: reported mean of a chip at `scope`, where they were measured.
        energy_mwh: reported, where it was measured.
        energy_scope: chip, system, node or facility.
        source: citation.
    """

    run_id: str
    developer: str
    kind: str
    configuration: ThroughputRow
    tokens: float | None
    flop: float | None
    utilisation: float | None
    scope: str
    pue: float | None
    chip_hours: float | None
    watts: float | None
    energy_mwh: float | None
    energy_scope: str
    source: str


@dataclass(frozen=True)
class RunTable:
    """Runs that can be predicted, and why the others cannot."""

    rows: tuple[RunRow, ...]
    skipped: dict[str, str]


def read_runs(path: Path) -> RunTable:
    """Read a table of whole runs.

    Raises:
        InputError: no such file, or without the columns of one.
    """
    cells = read_table(path, "whole runs", ("chip",), "runs.csv")
    rows, skipped = [], {}
    for number, row in enumerate(cells, start=1):
        name = (row.get("run_id") or f"row {number}").strip()
        try:
            rows.append(_run(name, row))
        except AccountingError as error:
            skipped[name] = str(error)
    return RunTable(tuple(rows), skipped)


def _run(name: str, row: dict[str, Any]) -> RunRow:
    cells = Cells(row)
    text, number = cells.text, cells.number
    kind = text("kind") or (MOE if number("n_expert") else DENSE)
    if kind not in (DENSE, MOE):
        raise InputError("expected a Transformer, dense or moe", kind)
    if text("workload") and not text("workload").startswith(TRAINED):
        raise InputError("expected one training run", text("workload"))
    hours, chips = number("wall_hours"), number("n_chip")
    chip_hours = number("chip_hours") or (hours * chips if hours and chips else None)
    basis = text("watts_basis").startswith(MEASURED)
    judged = text("energy_basis").startswith(MEASURED)
    scope = next(
        (
            where
            for words, where in SCOPES.items()
            if text("watts_boundary").lower().startswith(words)
        ),
        "chip",
    )
    place = text("energy_boundary").lower()
    found = parse([_configuration(name, kind, cells)])
    if not found.rows:
        raise InputError(
            "expected a configuration that can be predicted", next(iter(found.skipped.values()))
        )
    if not (number("tokens") or number("flop_total_reported")):
        raise InputError("expected tokens or FLOP of the run", "blank", "fill the cell")
    return RunRow(
        run_id=name,
        developer=text("developer") or name,
        kind=kind,
        configuration=found.rows[0],
        tokens=number("tokens"),
        flop=number("flop_total_reported"),
        utilisation=number("utilisation_reported"),
        scope=scope,
        pue=number("pue"),
        chip_hours=chip_hours,
        watts=number("avg_watts_per_chip") if basis else None,
        energy_mwh=number("energy_mwh") if judged else None,
        energy_scope="facility"
        if place.startswith("facility")
        else "node"
        if place.startswith("node")
        else "chip",
        source=text("source"),
    )


def _configuration(name: str, kind: str, row: Cells) -> dict[str, str]:
    """The cells of a row of throughput."""
    text, number = row.text, row.number
    layers, width = number("n_layer"), number("d_model")
    size = number("params_total")
    if not (layers and width):
        if kind == MOE or not size:
            raise InputError("expected the sizes of the model", "blank", "fill n_layer and d_model")
        layers = layers or max(2, round((size / (12 * ASPECT**2)) ** (1 / 3)))
        width = width or 64 * max(1, round((size / 12 / layers) ** 0.5 / 64))
    gated = text("ffn_gated").lower()
    sequence = number("seq_len") or (2048 if (number("year") or 2024) < 2024 else 4096)
    batch = number("batch_tokens")
    cells = {
        "row_id": name,
        "layers": layers,
        "d_model": width,
        "d_ff": number("d_ff"),
        "gated_ffn": 1 if "yes" in gated else 0,
        "expert_gated": 0 if "expert no" in gated else None,
        "heads": number("n_head"),
        "kv_heads": number("n_kv_head"),
        "head_dim": number("head_dim"),
        "vocab": number("vocab"),
        "seq_len": sequence,
        "moe_experts": number("n_expert"),
        "moe_top_k": number("top_k"),
        "moe_every_n": number("moe_every"),
        "moe_first_dense": number("moe_first_dense_layers"),
        "moe_d_ff_expert": number("expert_d_ff"),
        "moe_shared_experts": number("n_shared_expert"),
        "n_chips": number("n_chip") or USUAL_CHIPS,
        "global_batch_seqs": max(1, round(batch / sequence)) if batch else None,
    }
    told = {
        key: f"{value:g}"
        for key, value in cells.items()
        if value is not None and not isinstance(value, str)
    }
    model = text("model") or name
    return told | {
        "row_id": name,
        "chip": text("chip"),
        "model_name": model,
        "source": text("source"),
        "precision": "fp8" if text("precision").startswith("fp8") else text("precision"),
        "framework": _software(text("chip"), number("year"), text("framework")),
    }


def _software(chip: str, year: float | None, framework: str) -> str:
    """What ran it: its own word, or what its year and chip had."""
    if framework:
        return framework
    early = (year or 2024) < 2023
    if "tpu" in chip.lower():
        return "gspmd" if early else "xla"
    return "megatron-lm (2021)" if early else "torch, fully sharded or megatron"

"""Rows of published whole runs: tokens, chip-hours, watts and energy, each with its boundary.

The columns are those of `simulator/published/runs.csv`, in any order; a missing column is blank.
What a run did is kept apart from what was measured of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from energy.errors import AccountingError, InputError
from simulator.facts.software import BASELINE, FIRST, VENDOR
from simulator.published.tables import Cells, read_table
from simulator.published.throughput import ThroughputRow, parse
from simulator.published.words import plan_in

DENSE, MOE = "dense", "moe"

STEP_WORKLOAD = "step_benchmark"
"""The workload of a row that is one step."""

TRAINING_WORKLOADS = ("pretrain", "train", "lora", "finetune", STEP_WORKLOAD, "distil")
"""Beginnings of the workloads that are one training run of a Transformer."""

USUAL_CHIPS = 256
"""Chips of a run that does not say: the middle of those that do."""

ASPECT = 128
"""Width over layers of a decoder whose sizes are unknown (GPT-3: 12,288 / 96)."""

SCOPES = {
    "gpu only x pue": "chip",
    "gpu only": "chip",
    "system": "system",
    "node": "node",
    "gpu + cpu": "system",
}
"""Where watts were read, by the beginnings of `watts_boundary`."""

CALENDAR, STEPS, DERIVED, DOUBTED = "calendar", "sum of steps", "derived", "doubted"
"""What hours are: of the calendar, of steps alone, FLOP over a measured rate, or not for fits."""

HOURS_BASES = {
    r"\b(?:keep|leave|to be kept) out of (?:time )?fits|\bout of (?:all )?fits of time": DOUBTED,
    r"\b(?:time|hours|days) (?:is|are) derived|\b(?:days|hours) follow from flop": DERIVED,
    r"\bsums? of step|\blogged iteration time|\bone iteration\b": STEPS,
}
"""Words of `notes` that say what hours are where `hours_basis` does not; the first that applies."""

COUNTED_ONCE = re.compile(r"\bcount (?:it|them|the two) (?:as one|once)\b")
"""Words of `notes` by which a run repeats the observation of another row."""

WITHIN = re.compile(r"\btreat as \+-\s?(\d+(?:\.\d+)?)\s?%")
"""Words of `notes` by which hours are known to a share only."""

COUNTS_AGAIN = re.compile(r"re-?comput|hardware")
"""Conventions by which a run's FLOP and utilization hold what the backward pass computes again."""

MODEL_OVER_HARDWARE = 3 / 4
"""Model FLOP of a step over those with every layer computed again: 3 forward passes of 4."""

TUNED = {r"\bfirst (?:\w+ ){0,2}implementation\b": FIRST, r"\bbaseline\b": BASELINE}
"""Words of `notes` that say how tuned software is, by the names of `software.toml`."""

MEASURED = "measured"
"""Beginning of the bases on which a figure may judge a prediction."""


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One whole run.

    Attributes:
        run_id: its name.
        developer: who ran it: the fold it belongs to.
        kind: dense or moe.
        configuration: what is predicted, as a row of throughput without a measured rate.
        tokens: of the run; None where only its FLOP are known.
        flop: reported training FLOP; None where only its tokens are known, or where tokens say
            more than FLOP that hold what was computed again.
        utilization: reported model FLOP over the peak.
        scope: where watts were read: chip, system (with its share of host and network) or node.
        pue: facility over IT energy.
        chip_hours: reported; None is unknown.
        watts: reported mean of a chip at `scope`, where they were measured.
        energy_mwh: reported, where it was measured.
        energy_scope: chip, node or facility.
        source: citation.
        hours_basis: what its hours are: "calendar", "sum of steps" (without restarts and
            evaluation), "derived" (FLOP over a measured rate, so no measured time) or "doubted"
            (its source asks to keep them out of fits).
        hours_within: share to which its source knows its hours; 0 where it does not say.
        repeats: whether its watts and energy are the observation of another row.
    """

    run_id: str
    developer: str
    kind: str
    configuration: ThroughputRow
    tokens: float | None
    flop: float | None
    utilization: float | None
    scope: str
    pue: float | None
    chip_hours: float | None
    watts: float | None
    energy_mwh: float | None
    energy_scope: str
    source: str
    hours_basis: str = CALENDAR
    hours_within: float = 0.0
    repeats: bool = False

    @property
    def is_steady(self) -> bool:
        """Whether its hours hold nothing but steps: a sum of them, or FLOP over their rate."""
        return self.hours_basis in (STEPS, DERIVED)

    @property
    def tells_hours(self) -> bool:
        """Whether its hours are measured ones of software that somebody profiled, to be fitted."""
        measured = self.hours_basis in (CALENDAR, STEPS)
        return measured and self.configuration.tuned != FIRST

    def judges(self, figure: str) -> bool:
        """Whether its report of a figure is a measurement that judges predictions.

        Args:
            figure: chip_hours, watts_per_chip or energy_mwh.
        """
        return self.hours_basis != DERIVED if figure == "chip_hours" else not self.repeats


@dataclass(frozen=True)
class RunTable:
    """Runs that can be predicted, and why the others cannot."""

    rows: tuple[RunRow, ...]
    skipped: dict[str, str]


def read_runs(path: Path) -> RunTable:
    """Read a table of whole runs.

    Raises:
        InputError: there is no such file, or a required column is missing.
    """
    cells = read_table(path, "whole runs", ("chip",), "runs.csv")
    rows, skipped = [], {}
    for number, row in enumerate(cells, start=1):
        name = (row.get("run_id") or f"row {number}").strip()
        try:
            rows.append(_run(name, Cells(row)))
        except AccountingError as error:
            skipped[name] = str(error)
    return RunTable(tuple(rows), skipped)


def _run(name: str, cells: Cells) -> RunRow:
    text, number = cells.text, cells.number
    kind = text("kind") or (MOE if number("n_expert") else DENSE)
    if kind not in (DENSE, MOE):
        raise InputError("expected a Transformer, dense or moe", kind)
    if text("workload") and not text("workload").startswith(TRAINING_WORKLOADS):
        raise InputError("expected one training run", text("workload"))
    chip_hours, notes = _chip_hours(cells), text("notes").lower()
    flop, utilization = _model_flop(cells)
    table = parse([_configuration(name, kind, cells)], whole_runs=True)
    if not table.rows:
        raise InputError(
            "expected a configuration that can be predicted", next(iter(table.skipped.values()))
        )
    if not (number("tokens") or number("flop_total_reported")):
        raise InputError("expected tokens or FLOP of the run", "blank", "fill the cell")
    return RunRow(
        run_id=name,
        developer=text("developer") or name,
        kind=kind,
        configuration=table.rows[0],
        tokens=number("tokens"),
        flop=flop,
        utilization=utilization,
        scope=_scope(text("watts_boundary")),
        pue=number("pue"),
        chip_hours=chip_hours,
        watts=_if_measured(cells, "avg_watts_per_chip", "watts_basis"),
        energy_mwh=_if_measured(cells, "energy_mwh", "energy_basis"),
        energy_scope=_energy_scope(text("energy_boundary")),
        source=text("source"),
        hours_basis=_hours_basis(cells),
        hours_within=float(within[1]) / 100 if (within := WITHIN.search(notes)) else 0.0,
        repeats=COUNTED_ONCE.search(notes) is not None,
    )


def _hours_basis(cells: Cells) -> str:
    """What the hours of a run are: as its column says, else its workload or its notes.

    Raises:
        InputError: the column has another word.
    """
    stated, bases = cells.text("hours_basis"), (CALENDAR, STEPS, DERIVED, DOUBTED)
    if stated:
        if stated not in bases:
            raise InputError(f"expected one of {', '.join(bases)} for hours_basis", stated)
        return stated
    if cells.text("workload").startswith(STEP_WORKLOAD):
        return STEPS
    notes = cells.text("notes").lower()
    return next(
        (basis for words, basis in HOURS_BASES.items() if re.search(words, notes)), CALENDAR
    )


def _model_flop(cells: Cells) -> tuple[float | None, float | None]:
    """Reported FLOP and utilization, of the model alone where they hold what was computed again.

    LaMDA 137B: 3.55e23 FLOP at 56.5 % of the peak, which its authors say hold recomputation, are
    2.66e23 at 42.4 %. BloombergGPT: 2.36e23, where 569e9 tokens take 1.80e23.
    """
    flop, utilization = cells.number("flop_total_reported"), cells.number("utilisation_reported")
    if not _counts_again(cells):
        return flop, utilization
    of_model = None if cells.number("tokens") else flop
    return (
        of_model and of_model * MODEL_OVER_HARDWARE,
        utilization and utilization * MODEL_OVER_HARDWARE,
    )


def _counts_again(cells: Cells) -> bool:
    """Whether a run's FLOP and utilization hold what its backward pass computes again."""
    return COUNTS_AGAIN.search(cells.text("utilisation_convention").lower()) is not None


def _chip_hours(cells: Cells) -> float | None:
    """Reported chip-hours, or hours times chips."""
    hours, chips = cells.number("wall_hours"), cells.number("n_chip")
    return cells.number("chip_hours") or (hours * chips if hours and chips else None)


def _if_measured(cells: Cells, name: str, basis: str) -> float | None:
    """A figure whose basis says that it was measured; else None."""
    return cells.number(name) if cells.text(basis).startswith(MEASURED) else None


def _scope(boundary: str) -> str:
    """Where watts were read: chip, system or node; chip where it is not known."""
    return next(
        (scope for words, scope in SCOPES.items() if boundary.lower().startswith(words)), "chip"
    )


def _energy_scope(boundary: str) -> str:
    """Where energy was read: facility, node or chip; chip where it is not known."""
    scopes = ("facility", "node")
    return next((scope for scope in scopes if boundary.lower().startswith(scope)), "chip")


def _configuration(name: str, kind: str, row: Cells) -> dict[str, str]:
    """The cells of a row of throughput that describe a run."""
    text, number = row.text, row.number
    layers, width = _sizes(kind, row)
    derived = not (number("n_layer") and number("d_model"))
    gated = text("ffn_gated").lower()
    sequence = number("seq_len") or (2048 if (number("year") or 2024) < 2024 else 4096)
    batch = number("batch_tokens")
    numbers = {
        "layers": layers,
        "d_model": width,
        # Derived sizes are those of a network of width 4 M.
        "d_ff": number("d_ff") or (4 * width if derived else None),
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
        "params_total_b": _billions(number("params_total")),
        "n_chips": number("n_chip") or USUAL_CHIPS,
        "global_batch_seqs": max(1, round(batch / sequence)) if batch else None,
    }
    cells = {name: f"{value:g}" for name, value in numbers.items() if value is not None}
    return cells | {
        **plan_in(text("notes")),
        "row_id": name,
        "chip": text("chip"),
        "model_name": text("model") or name,
        "workload": text("workload"),
        "source": text("source"),
        "precision": "fp8" if text("precision").startswith("fp8") else text("precision"),
        # A utilization that counts recomputation is of a run that recomputed.
        "recompute": "full" if _counts_again(row) else "",
        "framework": _framework(text("chip"), number("year"), text("framework")),
        # Where none is named, what a run loses against its steady rate holds its software too.
        "tuned": text("tuned") or _tuned(text("notes")) or ("" if text("framework") else VENDOR),
    }


def _billions(count: float | None) -> float | None:
    return count / 1e9 if count else None


def _sizes(kind: str, row: Cells) -> tuple[float, float]:
    """Layers and width of the model; of a dense one they may follow from its parameters.

    Raises:
        InputError: they are blank, and cannot be derived.
    """
    layers, width = row.number("n_layer"), row.number("d_model")
    if layers and width:
        return layers, width
    size = row.number("params_total")
    if kind == MOE or not size:
        raise InputError("expected the sizes of the model", "blank", "fill n_layer and d_model")
    # 12 L M^2 parameters, M = ASPECT * L.
    layers = layers or max(2, round((size / (12 * ASPECT**2)) ** (1 / 3)))
    return layers, width or 64 * max(1, round((size / 12 / layers) ** 0.5 / 64))


def _tuned(notes: str) -> str:
    """How tuned the software of a run is, where its notes say that it is less than usual."""
    return next((word for words, word in TUNED.items() if re.search(words, notes.lower())), "")


def _framework(chip: str, year: float | None, framework: str) -> str:
    """The framework of a run: the one it names, or a usual one of its year and chip."""
    if framework:
        return framework
    early = (year or 2024) < 2023
    if "tpu" in chip.lower():
        return "gspmd (2021)" if early else "xla"
    return "megatron-lm (2021)" if early else "torch, fully sharded or megatron"

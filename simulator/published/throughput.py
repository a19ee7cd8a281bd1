"""Rows of published training throughput: what a configuration says, and what it leaves blank.

The columns are those of `simulator/published/throughput.csv`, in any order; a missing column is
blank in every row. What is blank stays open here: `simulator.published.candidates` decides what is
searched and what is a convention of the software. The measured rate is kept apart from all else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from energy.errors import AccountingError, InputError
from energy.facts import catalog
from energy.facts.catalog import Chip
from energy.shape import Shape, total
from energy.units import GIB
from simulator.facts.kinds import kind_of
from simulator.facts.software import (
    Software,
    expert_nodes_of,
    framework_of,
    software_of,
    tuned_of,
    workload_of,
)
from simulator.physics.workload import Workload, model_flop
from simulator.published.publishers import publisher_of
from simulator.published.shapes import as_stated, shape_of
from simulator.published.tables import Cells, read_table
from simulator.published.words import Reading, read_words

PRECISIONS = ("fp8", "int8", "fp4", "fp16", "bf16", "fp32", "tf32")

TRAINED_FIELDS = ("trained", "adapter_rank", "adapter_modules")
"""Fields of a plan that say what is trained, where that is not all weights."""

FASTEST_NETWORK = 4
"""A chip's share of a network over that of its usual node, at most: cards of two generations on."""

LARGEST_BATCH = 1e9
"""A batch that would have more tokens than this was published in tokens, not in sequences."""


@dataclass(frozen=True, kw_only=True)
class ThroughputRow:
    """One configuration and what was measured of it.

    Attributes:
        row_id: its name in the file.
        tier: A complete, B a field or convention is missing, C doubtful.
        source: where it was published.
        publisher: of the source; rows of one share their bias.
        tuned: how tuned its software is, by the names of `software.toml`; blank where nobody says.
        family: of the model.
        shape: of the model, with conventions where a cell is blank.
        chip: of the catalog.
        precision: of the matrix products.
        software: family and era of the software that ran it.
        framework: the framework's name without releases.
        release: the framework's name as it was published.
        n_chips: all chips.
        network_bytes_per_s: a chip's share, where the row says; None means its usual node's.
        fields: cells of the plan that are filled: tp, pp, vp, ep, etp, cp, zero, shard,
            micro_batch, global_batch, recompute, capacity_factor, capacity_limited,
            sequence_parallel, imbalance,
            schedule, expert_messages, expert_nodes, expert_overlap, trained, adapter_rank,
            adapter_modules.
        measured: tokens per second and chip; never read by a prediction. None where the run was
            out of memory.
        memory_bytes: allocated between steps, where published.
        fitted: whether the run fitted in memory ("ok") or not ("oom").
        assumed: conventions that filled blank cells, in words.
        not_understood: words of its cells that no reader knows, each with its column.
    """

    row_id: str
    tier: str
    source: str
    publisher: str
    tuned: str
    family: str
    shape: Shape
    chip: Chip
    precision: str
    software: Software
    framework: str
    release: str
    n_chips: int
    network_bytes_per_s: float | None
    fields: dict[str, Any]
    measured: float | None
    memory_bytes: float | None = None
    fitted: bool = True
    assumed: tuple[str, ...] = field(default=())
    not_understood: tuple[str, ...] = field(default=())

    @property
    def kind(self) -> str:
        """Dense or moe."""
        return kind_of(self.shape)

    @property
    def model_flop(self) -> float:
        """Model FLOP of a token, attention in full."""
        own = {name: self.fields[name] for name in TRAINED_FIELDS if name in self.fields}
        return float(total(model_flop(self.shape, Workload(**own))))


@dataclass(frozen=True)
class Table:
    """The rows of a file that can be predicted, and why the others cannot."""

    rows: tuple[ThroughputRow, ...]
    skipped: dict[str, str]


def read_throughput(path: Path) -> Table:
    """Read a table of published throughput; a model of the catalog may stand for its sizes.

    Raises:
        InputError: there is no such file, or it is not a table, or a required column is missing.
    """
    required = ("layers or model_name", "chip")
    return parse(read_table(path, "published throughput", required, "throughput.csv"))


def read_tables(paths: Iterable[Path]) -> Table:
    """Read several tables of published throughput as one.

    Raises:
        InputError: as `read_throughput`.
    """
    tables = [read_throughput(path) for path in paths]
    return Table(
        tuple(row for table in tables for row in table.rows),
        {name: reason for table in tables for name, reason in table.skipped.items()},
    )


def parse(cells: Iterable[dict[str, Any]], *, whole_runs: bool = False) -> Table:
    """Rows from the cells of a table.

    Args:
        cells: of the table.
        whole_runs: whether sizes of the rows are partly derived, as those of whole runs are; else
            a stated total of parameters must be about what the sizes give.
    """
    rows, skipped = [], {}
    for number, row in enumerate(cells, start=1):
        name = (row.get("row_id") or f"row {number}").strip()
        try:
            rows.append(_row(name, Cells(row), whole_runs))
        except AccountingError as error:
            skipped[name] = str(error)
    return Table(tuple(rows), skipped)


def _row(name: str, cells: Cells, whole_runs: bool) -> ThroughputRow:
    assumed: list[str] = []
    framework = cells.text("framework") or cells.text("source")
    source = cells.text("source") or "not stated"
    software = software_of(framework, source)
    reading = read_words(cells, flash=software.flash)
    chip = catalog.chip(cells.text("chip"))
    shape = shape_of(cells, assumed, prediction_layer=reading.prediction_layer)
    if not whole_runs and cells.number("params_total_b") and cells.number("vocab"):
        shape = as_stated(shape, cells, assumed, prediction_layer=reading.prediction_layer)
    publisher = publisher_of(source, framework, cells.text("location") or cells.text("source_path"))
    measured = cells.number("tokens_per_s_per_chip")
    memory = cells.number("memory_allocated_gb")
    n_chips = cells.number("n_chips") or _product_of_degrees(cells)
    if not n_chips:
        raise InputError("expected n_chips", "blank", "fill the cell")
    fields = _plan_fields(cells, reading) | workload_of(cells.text("workload"))
    if nodes := expert_nodes_of(f"{cells.text('model_name')} {cells.text('model_family')}"):
        fields["expert_nodes"] = nodes
    model_parallel = fields.get("tp", 1) * fields.get("pp", 1) * fields.get("cp", 1)
    if model_parallel > n_chips:
        raise InputError(
            "expected n_chips of at least tp * pp * cp",
            f"{n_chips:g} chips, {model_parallel} of one copy of the model",
        )
    return ThroughputRow(
        row_id=name,
        tier=cells.text("tier") or "B",
        source=source,
        publisher=publisher.name,
        tuned=tuned_of(cells.text("tuned")) or publisher.tuned,
        family=cells.text("model_family") or cells.text("model_name") or "not stated",
        shape=shape,
        chip=chip,
        precision=_precision(cells.text("precision"), assumed),
        software=software,
        framework=framework_of(framework),
        release=framework.lower() or "other",
        n_chips=int(n_chips),
        network_bytes_per_s=_network(reading, chip),
        fields=fields,
        measured=measured or None,
        # Training logs print allocated memory in GiB and call it GB.
        memory_bytes=memory * GIB if memory else None,
        fitted=cells.text("status") != "oom",
        assumed=tuple(assumed),
        not_understood=tuple(reading.not_understood),
    )


def _network(reading: Reading, chip: Chip) -> float | None:
    """A chip's share of the network that its row says, unless no node of that chip has as much."""
    stated, usual = reading.network_bytes_per_s, chip.network_bytes_per_s
    if stated and usual and stated > FASTEST_NETWORK * usual:
        reading.not_understood.append(
            f"other_opts: a network of {stated / 1e9:g} GB/s a chip "
            f"({chip.id} has {usual / 1e9:g}, which is taken)"
        )
        return None
    return stated


def _product_of_degrees(cells: Cells) -> float | None:
    """Chips as tp * pp * dp * cp; None where a degree other than cp is blank."""
    degrees = [cells.number(name) for name in ("tp", "pp", "dp")]
    if any(degree is None for degree in degrees):
        return None
    product = cells.number("cp") or 1.0
    for degree in degrees:
        product *= degree or 1.0
    return product


def _precision(text: str, assumed: list[str]) -> str:
    for precision in PRECISIONS:
        if precision in text.lower():
            return precision
    if not text or "mixed" in text.lower():
        assumed.append("precision bf16")
        return "bf16"
    raise InputError(f"expected one of {', '.join(PRECISIONS)} in precision", text)


def _plan_fields(cells: Cells, reading: Reading) -> dict[str, Any]:
    """The fields of the plan that a row names, by the names of `simulator.physics.plan`."""
    named = {
        name: int(value)
        for name in ("tp", "pp", "vp", "ep", "etp", "cp")
        if (value := cells.number(name))
    }
    fields: dict[str, Any] = reading.fields | named | _batch_fields(cells)
    if capacity := cells.number("moe_capacity_factor"):
        fields["capacity_factor"] = max(capacity, 1.0)
    return fields


def _batch_fields(cells: Cells) -> dict[str, float]:
    """Micro-batch and global batch in sequences, where they are printed or can be derived."""
    fields = {}
    micro, batch = cells.number("micro_batch"), cells.number("global_batch_seqs")
    dp, accumulated = cells.number("dp"), cells.number("grad_accum")
    if micro:
        fields["micro_batch"] = micro
    if not batch and micro and dp and accumulated:
        batch = micro * dp * accumulated
    if batch and batch * cells.required("seq_len") > LARGEST_BATCH:
        batch = batch / cells.required("seq_len")
    if batch:
        fields["global_batch"] = batch
    return fields

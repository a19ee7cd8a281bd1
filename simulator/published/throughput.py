"""Rows of published training throughput: what a configuration says, and what it leaves blank.

The columns are those of `simulator/published/throughput.csv`, in any order; a missing column is
blank in every row. What is blank stays open here: `simulator.published.candidates` decides what is
searched and what is a convention of the software. The measured rate is kept apart from all else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from energy.errors import AccountingError, InputError
from energy.facts import catalog
from energy.shape import Shape
from simulator.facts.software import Software, attention_of, framework_of, software_of
from simulator.published.tables import Cells, read_table

PRECISIONS = ("fp8", "int8", "fp4", "fp16", "bf16", "fp32", "tf32")

VOCABULARY = 51_200
"""Where a row names none: GPT-2's 50,257 padded, as usual in the tables that leave it out."""

TIED_BELOW = 4096
"""Width below which input and output embedding are assumed to be one matrix."""

MOST_TOKENS = 1e9
"""A batch that would have more tokens than this was published in tokens, not in sequences."""

GIB = 2**30
"""Training logs print allocated memory in GiB and call it GB."""


@dataclass(frozen=True, kw_only=True)
class ThroughputRow:
    """One configuration and what was measured of it.

    Attributes:
        row_id: its name in the file.
        tier: A complete, B a field or convention is missing, C doubtful.
        source: where it was published.
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
            micro_batch, global_batch, recompute, capacity_factor, sequence_parallel, imbalance.
        measured: tokens per second and chip; never read by a prediction. None where the run was
            out of memory.
        memory_bytes: allocated between steps, where published.
        fitted: whether the run fitted in memory ("ok") or not ("oom").
        assumed: conventions that filled blank cells, in words.
    """

    row_id: str
    tier: str
    source: str
    family: str
    shape: Shape
    chip: catalog.Chip
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

    @property
    def kind(self) -> str:
        """Dense or moe."""
        return "moe" if float(self.shape.n_moe_layers) > 0 else "dense"


@dataclass(frozen=True)
class Table:
    """The rows of a file that can be predicted, and why the others cannot."""

    rows: tuple[ThroughputRow, ...]
    skipped: dict[str, str]


def read_throughput(path: Path) -> Table:
    """Read a table of published throughput.

    Raises:
        InputError: there is no such file, or it is not a table, or a required column is missing.
    """
    return parse(
        read_table(path, "published throughput", ("layers", "d_model", "chip"), "throughput.csv")
    )


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


def parse(cells: Iterable[dict[str, Any]]) -> Table:
    """Rows from the cells of a table."""
    rows, skipped = [], {}
    for number, row in enumerate(cells, start=1):
        name = (row.get("row_id") or f"row {number}").strip()
        try:
            rows.append(_row(name, Cells(row)))
        except AccountingError as error:
            skipped[name] = str(error)
    return Table(tuple(rows), skipped)


def _row(name: str, cells: Cells) -> ThroughputRow:
    assumed: list[str] = []
    framework = cells.text("framework") or cells.text("source")
    software = software_of(framework)
    shape = _shape(cells, assumed)
    measured = cells.number("tokens_per_s_per_chip")
    memory = cells.number("memory_allocated_gb")
    n_chips = cells.number("n_chips") or _product_of_degrees(cells)
    if not n_chips:
        raise InputError("expected n_chips", "blank", "fill the cell")
    fields = _plan_fields(cells, software)
    model_parallel = fields.get("tp", 1) * fields.get("pp", 1) * fields.get("cp", 1)
    if model_parallel > n_chips:
        raise InputError(
            "expected n_chips of at least tp * pp * cp",
            f"{n_chips:g} chips, {model_parallel} of one copy of the model",
        )
    return ThroughputRow(
        row_id=name,
        tier=cells.text("tier") or "B",
        source=cells.text("source") or "not stated",
        family=cells.text("model_family") or cells.text("model_name") or "not stated",
        shape=shape,
        chip=catalog.chip(cells.text("chip")),
        precision=_precision(cells.text("precision"), assumed),
        software=software,
        framework=framework_of(framework),
        release=framework.lower() or "other",
        n_chips=int(n_chips),
        network_bytes_per_s=_network_bytes_per_s(cells),
        fields=fields,
        measured=measured or None,
        memory_bytes=memory * GIB if memory else None,
        fitted=cells.text("status") != "oom",
        assumed=tuple(assumed),
    )


def _product_of_degrees(cells: Cells) -> float | None:
    """Chips as tp * pp * dp * cp; None where a degree other than cp is blank."""
    degrees = [cells.number(name) for name in ("tp", "pp", "dp")]
    if any(degree is None for degree in degrees):
        return None
    product = cells.number("cp") or 1.0
    for degree in degrees:
        product *= degree or 1.0
    return product


def _network_bytes_per_s(cells: Cells) -> float | None:
    """A chip's share of the network of its node, where the row names its Gb/s."""
    rate = re.search(r"(\d+) ?Gb(?:/s|ps)", cells.text("other_opts"))
    node_chips = cells.number("chips_per_node") or 8
    return float(rate[1]) * 1e9 / 8 / node_chips if rate else None


def _shape(cells: Cells, assumed: list[str]) -> Shape:
    """The model of a row; conventions that fill blank cells are added to `assumed`."""
    layers, width = cells.required("layers"), cells.required("d_model")
    heads = cells.number("heads") or width // (cells.number("head_dim") or 128)
    d_head = cells.number("head_dim") or width / heads
    d_ff = _feed_forward_width(cells, width, assumed)
    vocab = cells.number("vocab")
    if not vocab:
        vocab = VOCABULARY
        assumed.append(f"vocabulary {vocab:,}")
    model = " ".join(cells.text(name) for name in ("model_name", "model_family"))
    # A module for multi-token prediction is one more layer.
    mtp = re.search(r"\bw/ MTP|MTP layer included|MTP 1|, MTP", cells.text("other_opts"))
    return Shape(
        n_layers=layers + 1 if mtp else layers,
        d_model=width,
        n_heads=heads,
        n_kv_heads=cells.number("kv_heads") or heads,
        d_head=d_head,
        d_ff=d_ff,
        ffn_matrices=3 if _is_gated(cells) else 2,
        vocab_size=vocab,
        seq_len=cells.required("seq_len"),
        tied_embedding=width < TIED_BELOW,
        **_mixture_fields(cells, layers, d_ff, 1 if mtp else 0),
        **attention_of(model, layers),
    )


def _is_gated(cells: Cells) -> bool:
    return cells.number("gated_ffn") == 1


def _is_mixture(cells: Cells) -> bool:
    return (cells.number("moe_experts") or 1) > 1


def _feed_forward_width(cells: Cells, width: float, assumed: list[str]) -> float:
    """Width of the dense network; where a row needs it and is blank, 4 M, or 8/3 M if gated."""
    d_ff = cells.number("d_ff") or 0.0
    every, leading = cells.number("moe_every_n") or 1, cells.number("moe_first_dense") or 0
    all_mixtures = _is_mixture(cells) and every == 1 and leading == 0
    if not d_ff and not all_mixtures:
        d_ff = round(8 * width / 3) if _is_gated(cells) else 4 * width
        assumed.append(f"d_ff {d_ff:,.0f}")
    return d_ff


def _mixture_fields(cells: Cells, layers: float, d_ff: float, more_layers: int) -> dict[str, float]:
    """Fields of a shape on its mixture of experts.

    Args:
        cells: of the row.
        layers: of the model, without those for multi-token prediction.
        d_ff: width of the dense network, and of an expert where it is blank.
        more_layers: layers for multi-token prediction.
    """
    gated = cells.number("expert_gated")
    is_gated = _is_gated(cells) if gated is None else gated == 1
    matrices: dict[str, float] = {"expert_matrices": 3 if is_gated else 2}
    if not _is_mixture(cells):
        return matrices
    every, leading = cells.number("moe_every_n") or 1, cells.number("moe_first_dense") or 0
    return matrices | {
        "n_moe_layers": (layers - leading) // every + more_layers,
        "n_experts": cells.number("moe_experts") or 1,
        "top_k": cells.number("moe_top_k") or 1,
        "d_expert": cells.number("moe_d_ff_expert") or d_ff,
        "n_shared_experts": cells.number("moe_shared_experts") or 0,
    }


def _precision(text: str, assumed: list[str]) -> str:
    for precision in PRECISIONS:
        if precision in text.lower():
            return precision
    if not text or "mixed" in text.lower():
        assumed.append("precision bf16")
        return "bf16"
    raise InputError(f"expected one of {', '.join(PRECISIONS)} in precision", text)


def _plan_fields(cells: Cells, software: Software) -> dict[str, Any]:
    """The fields of the plan that a row names, by the names of `simulator.physics.plan`."""
    fields: dict[str, Any] = {
        name: int(value)
        for name in ("tp", "pp", "vp", "ep", "etp", "cp")
        if (value := cells.number(name))
    }
    fields |= _batch_fields(cells)
    fields |= _sharding_fields(cells.text("zero_fsdp").lower())
    mode = cells.text("recompute").lower()
    if mode:
        fields["recompute"] = {"full": "full", "none": "none", "no": "none"}.get(mode, "selective")
    options = cells.text("other_opts").lower()
    if "no sequence parallel" in options or not software.flash:
        fields["sequence_parallel"] = "sequence parallel" in options and "no seq" not in options
    if capacity := cells.number("moe_capacity_factor"):
        fields["capacity_factor"] = max(capacity, 1.0)
    if "force-balanced" in cells.text("moe_dispatch"):
        fields["imbalance"] = 1.0
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
    if batch and batch * cells.required("seq_len") > MOST_TOKENS:
        batch = batch / cells.required("seq_len")
    if batch:
        fields["global_batch"] = batch
    return fields


def _sharding_fields(words: str) -> dict[str, int]:
    """ZeRO stage and the chips that it shards over, from words such as "ZeRO-1" or "fsdp 16"."""
    fields = {}
    if stage := re.search(r"zero-?\s?(\d)", words):
        fields["zero"] = int(stage[1])
    elif "grad_op" in words:
        fields["zero"] = 2
    elif words in ("none", "no_shard"):
        fields["zero"] = 0
    elif re.search(r"fsdp|full|shard", words):
        fields["zero"] = 3
    group = re.search(r"fsdp(?: group)? (\d+)|slice \((\d+)|ici_fsdp=(\d+)|(\d+)-way", words)
    if group and fields.get("zero") == 3:
        size = int(next(number for number in group.groups() if number))
        if size > 1:
            fields["shard"] = size
    return fields

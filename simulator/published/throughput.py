"""Rows of published training throughput: what a configuration says, and what it leaves blank.

The columns are those of `simulator/published/throughput.csv`, found by name in any order; one that
is missing is blank in every row. A blank is None here: what is searched, and what is a convention
of the software, `simulator.published.candidates` decides. The measured figure is kept apart from
all else.
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

PRECISIONS = {
    "fp8": "fp8",
    "int8": "int8",
    "fp4": "fp4",
    "fp16": "fp16",
    "bf16": "bf16",
    "fp32": "fp32",
    "tf32": "tf32",
}


VOCABULARY = 51_200
"""Where a row names none: GPT-2's 50,257 padded, the usual one of the tables that leave it out."""


MOST_TOKENS = 1e9
"""A batch of more tokens than this was given in tokens, not in sequences."""


GIB = 2**30
"""Training logs print allocated memory in GiB and call it GB."""


@dataclass(frozen=True, kw_only=True)
class ThroughputRow:
    """One configuration and what was measured of it.

    Attributes:
        row_id: its name in the file.
        tier: A complete, B a field or convention missing, C doubtful.
        source: where it was published.
        family: of the model.
        shape: of the model, with conventions where a cell is blank.
        chip: of the catalog.
        precision: of the matrix products.
        software: the family and era of what ran it.
        framework: its own name without releases.
        release: its own name as it stands.
        n_chips: all chips.
        network_bytes_per_s: a chip's share, where the row says; None is that of its usual node.
        fields: cells of the plan that are filled: tp, pp, vp, ep, etp, cp, zero, shard,
            micro_batch, global_batch, recompute, dispatch, capacity_factor, sequence_parallel.
        measured: tokens a second and chip; never read by a prediction. None where out of memory.
        memory_bytes: allocated between steps, where published.
        fitted: whether the run fitted in memory ("ok") or not ("oom").
        assumed: blank cells that a convention filled, in words.
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
        InputError: no such file, not a table, or without a column that every row needs.
    """
    return parse(
        read_table(path, "published throughput", ("layers", "d_model", "chip"), "throughput.csv")
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
    chips = cells.number("n_chips") or _multiplied(cells)
    if not chips:
        raise InputError("expected n_chips", "blank", "fill the cell")
    fields = _plan(cells, software)
    model_parallel = fields.get("tp", 1) * fields.get("pp", 1) * fields.get("cp", 1)
    if model_parallel > chips:
        raise InputError(
            "expected n_chips of at least tp * pp * cp",
            f"{chips:g} chips, {model_parallel} of one copy of the model",
        )
    bandwidth = re.search(r"(\d+) ?Gb(?:/s|ps)", cells.text("other_opts"))
    per_node = cells.number("chips_per_node") or 8
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
        n_chips=int(chips),
        network_bytes_per_s=float(bandwidth[1]) * 1e9 / 8 / per_node if bandwidth else None,
        fields=fields,
        measured=measured or None,
        memory_bytes=memory * GIB if memory else None,
        fitted=cells.text("status") != "oom",
        assumed=tuple(assumed),
    )


def _multiplied(cells: Cells) -> float | None:
    degrees = [cells.number(name) for name in ("tp", "pp", "dp")]
    if any(degree is None for degree in degrees):
        return None
    product = cells.number("cp") or 1.0
    for degree in degrees:
        product *= degree or 1.0
    return product


def _shape(cells: Cells, assumed: list[str]) -> Shape:
    layers, width = cells.count("layers"), cells.count("d_model")
    d_head = cells.number("head_dim")
    heads = cells.number("heads") or width // (d_head or 128)
    d_head = d_head or width / heads
    gated = cells.number("gated_ffn") == 1
    matrices = 3 if gated else 2
    experts = cells.number("moe_experts") or 1
    routed = experts > 1
    every, leading = cells.number("moe_every_n") or 1, cells.number("moe_first_dense") or 0
    d_ff = cells.number("d_ff") or 0.0
    if not d_ff and not (routed and every == 1 and leading == 0):
        d_ff = round(8 * width / 3) if gated else 4 * width
        assumed.append(f"d_ff {d_ff:,.0f}")
    expert_cell = cells.number("expert_gated")
    expert_matrices = matrices if expert_cell is None else 3 if expert_cell == 1 else 2
    vocab = cells.number("vocab")
    if not vocab:
        vocab = VOCABULARY
        assumed.append(f"vocabulary {vocab:,}")
    words = " ".join(cells.text(name) for name in ("model_name", "model_family"))
    extra = attention_of(words, layers)
    moe_layers = (layers - leading) // every if routed else 0
    if re.search(r"\bw/ MTP|MTP layer included|MTP 1|, MTP", cells.text("other_opts")):
        layers, moe_layers = layers + 1, moe_layers + routed
    return Shape(
        n_layers=layers,
        d_model=width,
        n_heads=heads,
        n_kv_heads=cells.number("kv_heads") or heads,
        d_head=d_head,
        d_ff=d_ff,
        ffn_matrices=matrices,
        vocab_size=vocab,
        seq_len=cells.count("seq_len"),
        n_moe_layers=moe_layers,
        n_experts=experts if routed else 1,
        top_k=(cells.number("moe_top_k") or 1) if routed else 1,
        d_expert=(cells.number("moe_d_ff_expert") or d_ff) if routed else 0,
        expert_matrices=expert_matrices,
        n_shared_experts=(cells.number("moe_shared_experts") or 0) if routed else 0,
        tied_embedding=width < 4096,
        **extra,
    )


def _precision(text: str, assumed: list[str]) -> str:
    for word, precision in PRECISIONS.items():
        if word in text.lower():
            return precision
    if not text or "mixed" in text.lower():
        assumed.append("precision bf16")
        return "bf16"
    raise InputError(f"expected one of {', '.join(PRECISIONS)} in precision", text)


def _plan(cells: Cells, software: Software) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: int(value)
        for name in ("tp", "pp", "vp", "ep", "etp", "cp")
        if (value := cells.number(name))
    }
    micro, batch = cells.number("micro_batch"), cells.number("global_batch_seqs")
    dp, accumulated = cells.number("dp"), cells.number("grad_accum")
    if micro:
        found["micro_batch"] = micro
    if not batch and micro and dp and accumulated:
        batch = micro * dp * accumulated
    if batch and batch * cells.count("seq_len") > MOST_TOKENS:
        batch = batch / cells.count("seq_len")
    if batch:
        found["global_batch"] = batch
    words = cells.text("zero_fsdp").lower()
    stage = re.search(r"zero-?\s?(\d)", words)
    if stage:
        found["zero"] = int(stage[1])
    elif re.search(r"grad_op", words):
        found["zero"] = 2
    elif words in ("none", "no_shard"):
        found["zero"] = 0
    elif re.search(r"fsdp|full|shard", words):
        found["zero"] = 3
    inside = re.search(r"fsdp(?: group)? (\d+)|slice \((\d+)|ici_fsdp=(\d+)|(\d+)-way", words)
    if inside and found.get("zero") == 3:
        size = int(next(number for number in inside.groups() if number))
        if size > 1:
            found["shard"] = size
    mode = cells.text("recompute").lower()
    if mode == "full":
        found["recompute"] = "full"
    elif mode in ("none", "no"):
        found["recompute"] = "none"
    elif mode:
        found["recompute"] = "selective"
    options = cells.text("other_opts").lower()
    if "no sequence parallel" in options or software.name in ("megatron-2021", "xla-2020"):
        found["sequence_parallel"] = "sequence parallel" in options and "no seq" not in options
    capacity = cells.number("moe_capacity_factor")
    if capacity:
        found["capacity_factor"] = max(capacity, 1.0)
    if "force-balanced" in cells.text("moe_dispatch"):
        found["imbalance"] = 1.0
    return found

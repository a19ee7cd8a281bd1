"""Words in the cells of a table of throughput: read as fields of a plan, or not understood.

No word is passed over in silence: what no reader here knows is listed with its column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from simulator.facts.networks import network_bytes_per_s
from simulator.facts.software import framework_of
from simulator.published.tables import Cells

USUAL_NODE = 8
"""Chips of a node where a row names none: those of an HGX board of NVIDIA, and of the universal
baseboard of the Open Compute Project that other makers build on (UBB 1.0)."""

MODES = {
    "full": r"^(?:full|all|yes|true|uniform|block)\b(?! ?\(partial)",
    "none": r"^(?:none|no|off|false|0)$",
    "selective": r"^(?:selective|core.?att)",
}
"""Words of `recompute` by mode; what else is named there is modules, or taken as selective."""

MODULES = {
    r"norm": "norms",
    r"^(?:moe_)?act|swiglu": "activations",
    r"^core.?att|^attention$": "attention",
    r"up_?proj": "up_projections",
    r"shared.?expert": "shared_experts",
    r"^mlp$|^ffn$": "mlp",
    r"^moe$|expert": "experts",
}
"""Words of modules by the names of `simulator.physics.recomputation`; the first that applies."""

TITAN: dict[str, dict[str, Any]] = {
    r"^selective.?\(?(?:by )?layer": {"recompute": "full", "recompute_share": 0.5},
    r"^selective.?\(?(?:by )?op": {"recompute": "norms,activations,second_products"},
    r"^every second (?:matmul|product|matrix product)": {
        "recompute": "norms,activations,second_products"
    },
}
"""torchtitan's two kinds of selective recomputation: every second layer in full, and all operations
but those of a list, which leaves out every second product (its
`distributed/activation_checkpoint.py`). The configurations of its models choose the second."""

POLICY = r"^custom\b|^qkv_proj_offloaded$"
"""MaxText's policies that name what is kept, maybe in the host's memory, in a custom one by its
configuration; all else is computed again, as its `configs/base.yml` has it."""

POLICY_WORDS = ("qkv_proj", "out_proj", "decoder_layer_input", "and", "kept", "offloaded")
"""What a policy says between its brackets; any other product is one that this reading misses."""

ALL_BUT_PROJECTIONS = "norms,activations,attention,mlp,experts"
"""What is computed again where queries, keys, values and the result of attention are kept."""

SHARDING = (
    (r"zero-?_?\s?(\d)|\bstage[- ]?(\d)|^z(\d)$", None),
    (r"grad_op", 2),
    (r"^(?:none|no|no_shard|ddp|replicated|data parallel)$", 0),
    (r"distributed.?optimi[sz]er|optimi[sz]er (?:states?|shard)|^os$", 1),
    (r"fsdp|full|shard|hsdp", 3),
)
"""Words of `zero_fsdp` and the ZeRO stage that they stand for; None where they name its number."""

MESH_AXES = {"expert": "ep", "context": "cp"}
"""Axes of a MaxText mesh are of one chip where its configuration does not name them, but for the
one of sharded data (`configs/base.yml`: ici_expert_parallelism, ici_context_parallelism)."""

PREDICTION_LAYER = r"^(?:w/ )?MTP(?: 1| layer included.*)?$"

REPEATS = (
    r"^(?:w/o MTP|none|bf16|dropless|default|mp mode \w+|local batch \d+|fsdp2?|1f1b"
    r"|interleaved 1f1b|interleaved pipeline schedule for some rows|\d+ slice\(s\) of \S+)$"
)
"""Options that are the convention, or that other columns of the row say too."""

OPTIONS: dict[str, dict[str, Any]] = {
    r"^DualPipe$": {"schedule": "dualpipe", "expert_overlap": True},
    r"^(?:DeepEP|HybridEP)$": {"expert_messages": "by-node"},
    r"^Muon$": {"optimizer": "muon"},
    r"^all-to-all$": {"expert_messages": "all-to-all"},
    r"^(?:expert all-to-all overlapped|1F1B overlap)$": {"expert_overlap": True},
    r"^async TP$": {"tensor_overlap": True},
}
"""Options and the fields of a plan that they stand for."""

DISPATCH = (
    r"dropless|force-balanced(?: routing)?|token.?drop|capacity[- ]limited|padded to capacity"
    r"|top-\d+|[\s,;()]"
)
"""Words of `moe_dispatch` that are read, or that the capacity factor and top-k say too."""


PLAN = {
    "pp": r"\bPP ?(\d+)\b",
    "ep": r"\bEP ?(\d+)\b",
    "tp": r"\bTP ?(\d+)\b",
    "zero_fsdp": r"\b(ZeRO-\d)\b",
}
"""Words of notes that state a part of a plan, by the column that they stand for."""


@dataclass
class Reading:
    """What the words of a row say.

    Attributes:
        fields: of the plan.
        network_bytes_per_s: a chip's share, where it is said.
        prediction_layer: whether a layer for multi-token prediction is counted.
        not_understood: words that no reader knows, each with its column.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    network_bytes_per_s: float | None = None
    prediction_layer: bool = False
    not_understood: list[str] = field(default_factory=list)


def read_words(cells: Cells, *, flash: bool) -> Reading:
    """Read sharding, recomputation, dispatch and options of a row.

    Args:
        cells: of the row.
        flash: whether its software fuses attention; sequence parallelism came with it.
    """
    reading = Reading()
    node_chips = cells.number("chips_per_node") or USUAL_NODE
    _sharding(cells.text("zero_fsdp").lower(), node_chips, reading)
    _recompute(cells.text("recompute"), framework_of(cells.text("framework")), reading)
    _dispatch(cells.text("moe_dispatch"), reading)
    if not flash:
        reading.fields["sequence_parallel"] = False
    for clause in _clauses(cells.text("other_opts")):
        if not _option(clause, node_chips, reading):
            reading.not_understood.append(f"other_opts: {clause}")
    return reading


def plan_in(notes: str) -> dict[str, str]:
    """The cells of a plan that notes state.

    >>> plan_in("PP16, EP8, ZeRO-1, no TP; batch ramps")
    {'pp': '16', 'ep': '8', 'tp': '1', 'zero_fsdp': 'ZeRO-1'}
    """
    alone = re.sub(r"\bno ([TPE]P)\b", r"\1 1", notes)
    return {name: match[1] for name, words in PLAN.items() if (match := re.search(words, alone))}


def _option(clause: str, node_chips: float, reading: Reading) -> bool:
    """Read one option; whether it was understood."""
    if re.search(PREDICTION_LAYER, clause):
        reading.prediction_layer = True
        return True
    if "sequence parallel" in clause.lower():
        reading.fields["sequence_parallel"] = not clause.lower().startswith("no ")
        return True
    named = next((fields for word, fields in OPTIONS.items() if re.search(word, clause)), None)
    if named:
        reading.fields |= named
        return True
    network = network_bytes_per_s(clause, node_chips)
    if network:
        reading.network_bytes_per_s = network
        return True
    return re.search(REPEATS, clause, re.IGNORECASE) is not None


def _sharding(words: str, node_chips: float, reading: Reading) -> None:
    """ZeRO stage and the chips that it shards over, from words such as "ZeRO-1" or "fsdp 16"."""
    for pattern, stage in SHARDING:
        if match := re.search(pattern, words):
            named = next((number for number in match.groups() if number), stage)
            reading.fields["zero"] = int(named or 0)
            break
    else:
        if words:
            reading.not_understood.append(f"zero_fsdp: {words}")
    if reading.fields.get("zero") != 3:
        return
    if "ici_" in words:
        for axis, field in MESH_AXES.items():
            named = re.search(rf"ici_{axis}=(\d+)", words)
            reading.fields[field] = int(named[1]) if named else 1
    group = re.search(r"fsdp(?: group)? (\d+)|slice \((\d+)|ici_fsdp=(\d+)|(\d+)-way", words)
    if group and (size := int(next(number for number in group.groups() if number))) > 1:
        reading.fields["shard"] = size
    elif re.search(r"hsdp|hybrid", words):
        reading.fields["shard"] = int(node_chips)


def _recompute(words: str, framework: str, reading: Reading) -> None:
    """The mode of recomputation, or its modules; what is neither is the nearest mode, selective."""
    if not words:
        return
    if framework == "torchtitan" and words.lower() == "selective":
        words = "selective op"  # as the configurations of its models have it
    named = next((kind for word, kind in TITAN.items() if re.search(word, words.lower())), None)
    if named:
        reading.fields |= named
        return
    if framework.startswith("maxtext") and re.search(POLICY, words.lower()):
        reading.fields["recompute"] = _not_kept(words.lower())
        kept = re.findall(r"\w+", words.lower().partition("(")[2])
        if unknown := [name for name in kept if name not in POLICY_WORDS]:
            reading.not_understood.append(f"recompute: {', '.join(unknown)} in {words}")
        return
    mode = next((m for m, pattern in MODES.items() if re.search(pattern, words.lower())), None)
    listed = mode is None or (mode == "selective" and re.search(r"[(,]", words))
    modules = _modules(words.lower()) if listed else None
    reading.fields["recompute"] = modules or mode or "selective"
    if listed and not modules:
        reading.not_understood.append(f"recompute: {words} (taken as selective)")


def _not_kept(words: str) -> str:
    """What a policy that keeps the products it names computes again."""
    if "qkv_proj" not in words:
        return "full"
    return ALL_BUT_PROJECTIONS + ("" if "out_proj" in words else ",output_projection")


def _modules(words: str) -> str | None:
    """The modules of "norm, act" or "selective (norms and experts)"; None where one is unknown."""
    listed = re.sub(r"^selective|[()]", " ", words)
    names = [
        next((name for pattern, name in MODULES.items() if re.search(pattern, word)), None)
        for part in re.split(r",|\band\b|\+", listed)
        if (word := part.strip())
    ]
    return ",".join(dict.fromkeys(filter(None, names))) if None not in names else None


def _dispatch(words: str, reading: Reading) -> None:
    """Whether the load of the experts was forced to be equal, or limited by a capacity."""
    if "force-balanced" in words:
        reading.fields["imbalance"] = 1.0
    if re.search(r"capacity|token.?drop", words, re.IGNORECASE):
        reading.fields["capacity_limited"] = True
    rest = re.sub(DISPATCH, " ", words, flags=re.IGNORECASE).split()
    if rest:
        reading.not_understood.append(f"moe_dispatch: {words}")


def _clauses(text: str) -> Iterator[str]:
    """The options of a cell, which commas and semicolons separate outside parentheses."""
    for clause in re.split(r"[,;]\s*(?![^()]*\))", text):
        if clause.strip():
            yield clause.strip()

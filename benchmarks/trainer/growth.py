"""How the time and memory of our step grow with experts, sequence and layers.

4 layers of the whole step's model unless said otherwise, 4,096 tokens, tuned allocator; active FLOP
stay the same while experts grow. Update is told apart: it grows with all parameters, not with
those that are active.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from benchmarks.trainer.clock import Child
from benchmarks.trainer.step import SHAPE, case, step_flop, turns
from energy.shape import Shape

TOKENS = 4096
ROUNDS = 5
EXPERTS = (4, 8, 16, 32, 64, 128)
PROFILED = (16, 64)
BASE = replace(SHAPE, n_layers=4, n_moe_layers=4)
SHAPES = {
    "experts": {f"{n}": replace(BASE, n_experts=n) for n in EXPERTS},
    "sequence": {f"{n}": replace(BASE, seq_len=n) for n in (128, 512, 1024)},
    "layers": {f"{n}": replace(BASE, n_layers=n, n_moe_layers=n) for n in (2, 8)},
}
QUICK = {"experts": {name: SHAPES["experts"][name] for name in ("4", "16", "64")}}
GROUPS = {
    "products of matrices": ("mm", "bmm", "addmm"),
    "optimizer": ("_fused_adamw_", "linalg_vector_norm", "mul_"),
    "sorting, choosing": ("sort", "topk", "bincount", "scatter_", "cumsum", "_softmax", "amax"),
    "moving rows": ("index", "index_select", "_index_put_impl_", "copy_", "fill_"),
}


def measure(
    talk: Callable[[str], None], asked: Mapping[str, Mapping[str, Shape]]
) -> dict[str, Any]:
    """Rows of seconds and memory by axis, and what takes the time where experts are many."""
    rows: list[dict[str, Any]] = []
    for axis, shapes in asked.items():
        talk(f"growth with {axis}")
        cases = {}
        for name, shape in shapes.items():
            batch = TOKENS // int(shape.seq_len)
            cases[name] = ("tuned", case(shape, "ours", batch))
            if axis != "experts" or name == "4":
                cases[f"{name}, dense"] = ("tuned", case(shape, "dense", batch))
        seconds, memory = turns(cases, ROUNDS)
        for name, shape in shapes.items():
            twin = f"{name}, dense" if f"{name}, dense" in seconds else "4, dense"
            rows.append(
                {
                    "axis": axis,
                    "value": int(name),
                    **seconds[name],
                    **memory[name],
                    "dense_passes": seconds[twin]["passes"],
                    "dense_update": seconds[twin]["update"],
                    "dense_peak_mb": memory[twin]["peak_mb"],
                    "flop": step_flop(shape, TOKENS // int(shape.seq_len)),
                }
            )
    talk("what takes the time")
    return {"rows": rows, "profile": profiles()}


def profiles() -> dict[str, dict[str, float]]:
    """Seconds of a step by group of operations: the dense twin, and the mixtures of PROFILED.

    One thread: the profiler does not add up those that take experts side by side.
    """
    batch, found = TOKENS // int(BASE.seq_len), {}
    cases = {"dense": case(BASE, "dense", batch)}
    cases |= {f"{n} experts": case(replace(BASE, n_experts=n), "ours", batch) for n in PROFILED}
    for name, what in cases.items():
        with Child("step", what, "tuned", threads=1) as child:
            operations = child.ask("profile")["operations"]
        found[name] = {
            group: sum(operations.get(one, 0.0) for one in names) for group, names in GROUPS.items()
        }
        found[name]["all else"] = sum(operations.values()) - sum(found[name].values())
    return found

"""Growth of the time and memory of our step with experts, sequence length and layers.

The model of the whole step with 4 layers unless the row says otherwise, 4,096 tokens, tuned
allocator. Active FLOP stay the same while the experts grow. The update is shown apart, because it
grows with all parameters and not only with the active ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from benchmarks.trainer.clock import Child
from benchmarks.trainer.step import SHAPE, case_of, measure_in_turns, step_flop
from energy.shape import Shape

TOKENS = 4096
ROUNDS = 5
EXPERTS = (4, 8, 16, 32, 64, 128)
PROFILED_EXPERTS = (16, 64)
BASE = replace(SHAPE, n_layers=4, n_moe_layers=4)
SHAPES = {
    "experts": {f"{n}": replace(BASE, n_experts=n) for n in EXPERTS},
    "sequence": {f"{n}": replace(BASE, seq_len=n) for n in (128, 512, 1024)},
    "layers": {f"{n}": replace(BASE, n_layers=n, n_moe_layers=n) for n in (2, 8)},
}
"""Axis -> value on that axis -> shape."""
QUICK = {"experts": {name: SHAPES["experts"][name] for name in ("4", "16", "64")}}
GROUPS = {
    "matrix products": ("mm", "bmm", "addmm"),
    "optimizer": ("_fused_adamw_", "linalg_vector_norm", "mul_"),
    "routing": ("sort", "topk", "bincount", "scatter_", "cumsum", "_softmax", "amax"),
    "moving rows": ("index", "index_select", "_index_put_impl_", "copy_", "fill_"),
}
"""Operations of torch, by what they do."""


def measure(
    on_progress: Callable[[str], None], axes: Mapping[str, Mapping[str, Shape]]
) -> dict[str, Any]:
    """Measure each shape, and profile a step.

    Args:
        on_progress: called with what is measured next.
        axes: SHAPES or QUICK.

    Returns:
        rows of seconds and memory, and the profile.
    """
    rows: list[dict[str, Any]] = []
    for axis, shapes in axes.items():
        on_progress(f"growth with {axis}")
        cases = {}
        for name, shape in shapes.items():
            cases[name] = ("tuned", case_of(shape, "ours", _batch(shape)))
            # More experts leave the dense twin as it is, so one is enough for that axis.
            if axis != "experts" or name == "4":
                cases[f"{name}, dense"] = ("tuned", case_of(shape, "dense", _batch(shape)))
        seconds, memory = measure_in_turns(cases, ROUNDS)
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
                    "flop": step_flop(shape, _batch(shape)),
                }
            )
    on_progress("profile of a step")
    return {"rows": rows, "profile": profiles()}


def profiles() -> dict[str, dict[str, float]]:
    """Seconds of a step by group of operations: the dense twin and PROFILED_EXPERTS.

    On one thread, as the profiler does not add up threads that compute experts side by side.
    """
    batch = _batch(BASE)
    cases = {"dense": case_of(BASE, "dense", batch)}
    for experts in PROFILED_EXPERTS:
        shape = replace(BASE, n_experts=experts)
        cases[f"{experts} experts"] = case_of(shape, "ours", batch)
    return {name: profile(case) for name, case in cases.items()}


def profile(case: dict[str, Any]) -> dict[str, float]:
    """Seconds of a step by group of operations."""
    with Child("step", case, "tuned", threads=1) as child:
        operations = child.ask("profile")["operations"]
    groups = {
        group: sum(operations.get(name, 0.0) for name in names) for group, names in GROUPS.items()
    }
    return groups | {"everything else": sum(operations.values()) - sum(groups.values())}


def _batch(shape: Shape) -> int:
    return TOKENS // int(shape.seq_len)

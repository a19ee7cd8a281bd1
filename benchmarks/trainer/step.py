"""A whole training step: ours, its dense twin, and HF Mixtral of equal active FLOP.

8 layers, every one a mixture of experts, width 256, 16 experts, top-2, vocabulary 8,192, 16
sequences of 256 tokens. All use AdamW with gradient clipping. Each contestant is a process of its
own, so that its peak memory is its own too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from benchmarks.trainer.clock import ALLOCATORS, Child, Seconds, Turn, medians, serve
from energy.flops import model_flop
from energy.shape import Shape, total

BATCH = 16
ROUNDS = 7
PEAK = "square product"
SHAPE = Shape(
    n_layers=8,
    d_model=256,
    n_heads=4,
    n_kv_heads=4,
    d_head=64,
    d_ff=1024,
    ffn_matrices=3,
    vocab_size=8192,
    seq_len=256,
    n_moe_layers=8,
    n_experts=16,
    top_k=2,
    d_expert=768,
    relative_buckets=32,
)
CONTESTANTS = {
    "ours": "ours",
    "dense twin": "dense",
    "dense twin, compiled": "compiled",
    "HF Mixtral": "mixtral",
}
"""Name in the tables, and kind of a case."""


def step_flop(shape: Shape, batch: int) -> float:
    """Model FLOP of a step, with attention scores counted in full.

    Args:
        shape: of the model.
        batch: sequences per step.
    """
    return float(total(model_flop(shape))) * batch * float(shape.seq_len)


def case_of(shape: Shape, kind: str, batch: int) -> dict[str, Any]:
    """The case from which a child builds its contestants.

    Args:
        shape: of the mixture; the dense kinds take its dense twin.
        kind: a value of CONTESTANTS.
        batch: sequences per step.
    """
    return {"shape": shape.as_dict(), "kind": kind, "batch": batch}


def measure(on_progress: Callable[[str], None]) -> dict[str, Any]:
    """Seconds and memory by contestant and allocator, and the rate of a large square product.

    Args:
        on_progress: called with what is measured next.
    """
    on_progress("whole step")
    cases = {
        f"{name}, {allocator}": (allocator, case_of(SHAPE, kind, BATCH))
        for name, kind in CONTESTANTS.items()
        for allocator in ALLOCATORS
    }
    cases[PEAK] = ("tuned", {"kind": "peak"})
    seconds, memory = measure_in_turns(cases, ROUNDS)
    rows = [
        {
            "contestant": name,
            "allocator": allocator,
            "seconds": sum(seconds[f"{name}, {allocator}"].values()),
            "update_s": seconds[f"{name}, {allocator}"]["update"],
            **memory[f"{name}, {allocator}"],
        }
        for name in CONTESTANTS
        for allocator in ALLOCATORS
    ]
    return {
        "rows": rows,
        "tokens": BATCH * int(SHAPE.seq_len),
        "flop": step_flop(SHAPE, BATCH),
        "peak_flop_per_s": 2 * 1536**3 / seconds[PEAK]["product"],
    }


def measure_in_turns(
    cases: Mapping[str, tuple[str, dict[str, Any]]], rounds: int
) -> tuple[dict[str, Seconds], dict[str, dict[str, float]]]:
    """Median seconds and peak memory of one child for each case, timed in turns.

    Args:
        cases: name -> allocator and case.
        rounds: turns of each child.
    """
    with ExitStack() as stack:
        children = {
            name: stack.enter_context(Child("step", case, allocator))
            for name, (allocator, case) in cases.items()
        }
        seconds = medians(children, rounds)
        return seconds, {name: child.ask("memory") for name, child in children.items()}


def contestants(case: dict[str, Any]) -> dict[str, Turn]:
    """The passes and the update of one step, or a large square product."""
    import torch

    if case["kind"] == "peak":
        matrix = torch.ones(1536, 1536)
        return {"product": lambda: matrix @ matrix}
    shape = Shape.from_dict(case["shape"])
    tokens = torch.randint(int(shape.vocab_size), (case["batch"], int(shape.seq_len) + 1))
    if case["kind"] == "mixtral":
        return _mixtral(shape, tokens)
    shape = shape if case["kind"] == "ours" else shape.dense()
    return _ours(shape, tokens, compiled=case["kind"] == "compiled")


def _ours(shape: Shape, tokens: Any, *, compiled: bool) -> dict[str, Turn]:
    from glam.config import Training
    from glam.model.decoder import Glam
    from glam.training.optimizer import build_optimizer, objective, update

    training = Training(optimizer="adamw", learning_rate=1e-4)
    model = Glam(shape)
    optimizer = build_optimizer(model, training)
    if compiled:
        model.compile()  # dense only: torch cannot trace grouped products on a CPU

    def passes() -> None:
        objective(model(tokens), training).backward()

    return {"passes": passes, "update": lambda: update(model, optimizer, training, step=1)}


def _mixtral(shape: Shape, tokens: Any) -> dict[str, Turn]:
    """Transformers' model as it ships; gated experts of 2/3 the width have the same FLOP."""
    import torch
    from transformers import MixtralConfig, MixtralForCausalLM

    model = MixtralForCausalLM(
        MixtralConfig(
            vocab_size=int(shape.vocab_size),
            hidden_size=int(shape.d_model),
            intermediate_size=int(shape.d_expert) * 2 // 3,
            num_hidden_layers=int(shape.n_layers),
            num_attention_heads=int(shape.n_heads),
            num_key_value_heads=int(shape.n_kv_heads),
            num_local_experts=int(shape.n_experts),
            num_experts_per_tok=int(shape.top_k),
            tie_word_embeddings=True,
            output_router_logits=True,
            use_cache=False,
            max_position_embeddings=int(shape.seq_len),
        )
    ).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    text = tokens[:, :-1]

    def update() -> None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return {"passes": lambda: model(input_ids=text, labels=text).loss.backward(), "update": update}


if __name__ == "__main__":
    serve(contestants)

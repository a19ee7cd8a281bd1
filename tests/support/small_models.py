"""Shapes and configurations small enough to train in a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from energy.shape import Shape
from glam.config import Corpus, Dispatch, GlamConfig, Stop, Training

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
"""Tolerance between two float32 implementations of the same computation."""

TINY_MIXTURE = Shape(
    n_layers=2,
    d_model=16,
    n_heads=2,
    n_kv_heads=2,
    d_head=8,
    d_ff=32,
    ffn_matrices=3,
    vocab_size=50,
    seq_len=8,
    relative_buckets=8,
    n_moe_layers=1,
    n_experts=4,
    top_k=2,
    d_expert=16,
)


def mixture(n_experts: int, top_k: int, vocab_size: int = 512) -> Shape:
    """Return a shape of two layers, one of them with a mixture of experts."""
    return Shape(
        n_layers=2,
        d_model=32,
        n_heads=2,
        n_kv_heads=2,
        d_head=16,
        d_ff=64,
        ffn_matrices=3,
        vocab_size=vocab_size,
        seq_len=16,
        relative_buckets=32,
        n_moe_layers=1,
        n_experts=n_experts,
        top_k=top_k,
        d_expert=24,
    )


def small_run(
    *, dispatch: Dispatch | None = None, stop: Stop | None = None, **training: Any
) -> GlamConfig:
    """Return the configuration of a short run on the CPU that logs every step."""
    recipe = {
        "batch_sequences": 2,
        "log_every": 1,
        "evaluate_batches": 1,
        "threads": 1,
        "device": "cpu",
        "precision": "float32",
    }
    return GlamConfig(
        name="small",
        shape=mixture(4, 2),
        corpus=Corpus(max_mb=0.2),
        dispatch=dispatch or Dispatch(),
        stop=stop or Stop(),
        training=Training(**{**recipe, **training}),
    )


def metrics_rows(out: Path) -> list[dict[str, Any]]:
    """Read the lines of metrics of a run."""
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]

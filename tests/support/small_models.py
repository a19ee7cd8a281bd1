"""Models small enough to train in a test."""

from __future__ import annotations

from energy.shape import Shape

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
"""How near two float32 ways of one computation come."""

DENSE_TOML = """
[shape]
n_layers = 2
d_model = 16
n_heads = 2
n_kv_heads = 2
d_head = 8
d_ff = 32
ffn_matrices = 3
vocab_size = 400
seq_len = 16
relative_buckets = 8
"""


def mixture(n_experts: int, top_k: int, vocab_size: int = 512) -> Shape:
    """Two layers, one of them a mixture of experts."""
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

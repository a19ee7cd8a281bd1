"""Parameter counts of the paper's models, and laws of every shape."""

from dataclasses import replace

import numpy as np
import pytest

from energy.shape import Shape, active_parameters, parameters, total

GLAM_64B = Shape(
    n_layers=64,
    d_model=8192,
    n_heads=128,
    n_kv_heads=128,
    d_head=128,
    d_ff=32768,
    ffn_matrices=3,
    vocab_size=256_000,
    seq_len=1024,
    n_moe_layers=32,
    n_experts=64,
    top_k=2,
    d_expert=32768,
    relative_buckets=32,
)


def test_glam_64b_has_the_published_total_and_active_parameters():
    assert total(parameters(GLAM_64B)) == pytest.approx(1.16e12, rel=0.005)
    assert f"{total(active_parameters(GLAM_64B)):.3g}" == "9.66e+10"


def test_arrays_and_numbers_give_the_same_counts():
    many = Shape(
        **{**GLAM_64B.as_dict(), "n_experts": np.array([1, 4, 64]), "top_k": np.array([1, 2, 2])}
    )
    assert total(parameters(many))[2] == total(parameters(GLAM_64B))


def test_a_single_expert_that_every_token_uses_is_dense():
    single = replace(GLAM_64B, n_experts=1, top_k=1)
    gated = Shape(**{**single.as_dict(), "expert_matrices": 3})
    assert total(parameters(gated)) == total(parameters(GLAM_64B.dense()))

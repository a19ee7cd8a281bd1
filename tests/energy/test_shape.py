"""Parameter counts of the paper's models, and laws of every shape."""

from dataclasses import replace

import numpy as np
import pytest

from energy.errors import InputError
from energy.facts import catalog
from energy.flops import Execution, executed_flop, forward_flop
from energy.shape import Shape, active_parameters, parameters, total
from energy.shapes.attention import mean_context
from energy.stated_total import require_about

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


GPT_OSS = catalog.model("gpt-oss-120b").shape
NEXT = catalog.model("qwen3-next-80b-a3b").shape


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"n_moe_layers": 0}, "n_moe_layers"),
        ({"d_expert": 0}, "d_expert"),
        ({"n_moe_layers": 65}, "n_moe_layers"),
        ({"n_layers": 64.5}, "n_layers"),
        ({"n_experts": -64}, "n_experts"),
        ({"d_model": -1}, "d_model"),
        ({"d_expert": -1}, "d_expert"),
        ({"n_kv_heads": 3}, "n_kv_heads"),
        ({"top_k": 65}, "top_k"),
        ({"top_k": 1.5}, "top_k"),
        ({"n_window_layers": 4}, "window"),
        ({"n_recurrent_layers": 4}, "recurrence"),
        ({"n_recurrent_layers": 4, "recurrence": "mamba"}, "state_heads"),
        ({"n_recurrent_layers": 65, "recurrence": "mamba"}, "n_recurrent_layers"),
        ({"recurrence": "xlstm"}, "recurrence"),
        ({"n_dense_beside_moe": 33}, "n_dense_beside_moe"),
    ],
)
def test_a_shape_that_contradicts_itself_is_refused_by_the_field(changes, field):
    with pytest.raises(InputError, match=f"expected {field} "):
        replace(GLAM_64B, **changes)


def test_a_text_says_whether_experts_are_gated_where_the_dense_network_is():
    said = GLAM_64B.as_dict()
    unsaid = {name: value for name, value in said.items() if name != "expert_matrices"}
    assert Shape.from_dict(said) == GLAM_64B
    with pytest.raises(InputError, match="expert_matrices"):
        Shape.from_dict(unsaid)
    assert Shape.from_dict({**unsaid, "ffn_matrices": 2}).expert_matrices == 2


def test_layers_of_another_kind_count_as_their_own_shapes_do():
    half = {"n_layers": 16, "n_moe_layers": 16}
    other = replace(GLAM_64B, **half, n_kv_heads=32, d_head=256)
    whole = replace(GLAM_64B, others=(other,))
    usual = replace(GLAM_64B, n_layers=48, n_moe_layers=16)
    assert parameters(whole)["attention"] == (
        parameters(usual)["attention"] + parameters(other)["attention"]
    )
    assert parameters(whole)["embedding"] == parameters(GLAM_64B)["embedding"]
    assert Shape.from_dict(whole.as_dict()) == whole
    short = {**GLAM_64B.as_dict(), "others": [{**half, "n_kv_heads": 32, "d_head": 256}]}
    assert Shape.from_dict(short) == whole


@pytest.mark.parametrize("row", catalog.models(), ids=lambda row: row.name)
def test_conventions_of_active_parameters_differ_by_the_embedding_alone(row):
    shape = row.shape
    both = active_parameters(shape, "with-both-embeddings")
    without = active_parameters(shape)
    none = active_parameters(shape, "without-embeddings")
    assert total(none) == total(both) - both["embedding"]
    matrix = shape.vocab_size * shape.d_model
    assert total(both) - total(without) == (0 if shape.tied_embedding else matrix)


def test_half_of_the_layers_in_windows_attend_to_less():
    whole = replace(GPT_OSS, n_window_layers=0, window=0)
    # 4096 tokens, 128 of them in every other layer: causal 0.5 * (2048 + 126).
    assert mean_context(GPT_OSS, "causal") == 1087
    assert mean_context(whole, "causal") == 2048
    chunks = replace(GPT_OSS, chunked_window=True)
    assert mean_context(chunks, "causal") == 0.5 * (2048 + 64)
    chosen = replace(whole, index_heads=4, d_index=64, index_positions=128)
    assert mean_context(chosen, "causal") == 126


def test_a_hybrid_attends_in_its_attention_layers_alone():
    flop = forward_flop(NEXT, "causal")
    attention = replace(NEXT, n_recurrent_layers=0, recurrence="none")
    assert 4 * flop["attention_scores"] == forward_flop(attention, "causal")["attention_scores"]
    # Qwen3-Next: 36 layers x (2 * 4 * 8192 channels + 6 * 32 heads * 128 * 128).
    assert flop["recurrence_states"] == 36 * (2 * 4 * 8192 + 6 * 32 * 128 * 128)
    executed = executed_flop(NEXT, Execution())
    assert executed["recurrence_states"] > 3 * flop["recurrence_states"]


def test_experts_that_compute_nothing_are_routed_to_and_not_counted():
    # LongCat-Flash (arXiv:2509.01322): 12 of 512 experts and 256 that compute nothing: 8 computed.
    zero = replace(GPT_OSS, n_experts=512, n_zero_experts=256, top_k=12)
    usual = replace(GPT_OSS, n_experts=512, top_k=8)
    assert forward_flop(zero)["experts"] == forward_flop(usual)["experts"]
    assert parameters(zero)["experts"] == parameters(usual)["experts"]
    assert parameters(zero)["router"] == 36 * (2880 * 768 + 768)


def test_latent_experts_are_projected_once_for_all_of_a_token():
    latent = replace(GPT_OSS, d_latent_expert=960, expert_bias=False)
    plain = replace(GPT_OSS, expert_bias=False)
    assert 3 * parameters(latent)["experts"] == parameters(plain)["experts"]
    assert parameters(latent)["router"] - parameters(plain)["router"] == 36 * 2 * 2880 * 960


def test_a_stated_total_may_be_a_tenth_off():
    counted = total(parameters(GPT_OSS))
    require_about(GPT_OSS, counted * 1.05, "model.params_total")
    with pytest.raises(InputError, match=r"model\.params_total"):
        require_about(GPT_OSS, counted * 1.2, "model.params_total")

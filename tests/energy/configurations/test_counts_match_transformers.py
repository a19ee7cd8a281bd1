"""Parameters of a configuration equal those of transformers' own class, in every family."""

import logging
import re
from typing import Any

import pytest
from transformers import CONFIG_MAPPING

from energy.configurations.families import FAMILIES
from energy.configurations.read import from_dict
from energy.flops import forward_flop
from energy.shape import parameters, total
from tests.support import ROOT
from tests.support.configurations import SMALL, parameters_of, small, values

PAGE = ROOT / "docs" / "models.md"

NOT_IN_TRANSFORMERS = {"kimi_k2", "minimax_m1", "minimax_text_01"}
"""Spellings of checkpoints whose class is that of deepseek_v3 and minimax."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "deepseek_v2": {"num_experts_per_tok": 6},
    "hunyuan_v1_dense": {"head_dim": 128},
    "hunyuan_v1_moe": {"head_dim": 128, "num_experts": 16, "moe_topk": 2},
    "dots1": {"n_routed_experts": 128, "n_shared_experts": 2, "num_experts_per_tok": 6},
    "glm4_moe": {"head_dim": 128},
    "dbrx": {"attn_config": {"kv_n_heads": 8, "rope_theta": 5e5}},
}
"""Fields that a class has no usable default for."""

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *(
        (family, {"attention_bias": True})
        for family in ("llama", "qwen3", "qwen3_next", "olmo2", "olmoe", "gemma3_text", "dots1")
    ),
    *(
        (family, {"attention_bias": True})
        for family in ("deepseek_v2", "deepseek_v3", "deepseek_v32", "kimi_linear", "granite")
    ),
    ("llama", {"mlp_bias": True}),
    ("deepseek_v2", {"mlp_bias": True, "q_lora_rank": None}),
    ("llama", {"tie_word_embeddings": True}),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 2}),
    ("qwen2_moe", {"qkv_bias": False}),
    ("qwen3_moe", {"mlp_only_layers": [0], "decoder_sparse_step": 2}),
    ("deepseek_v3", {"q_lora_rank": None}),
    ("glm_moe_dsa", {"num_hidden_layers": 9, "index_topk_freq": 3}),
    ("ernie4_5_moe", {"moe_layer_interval": 2, "use_bias": False}),
    ("granitemoehybrid", {"num_local_experts": 0, "mamba_proj_bias": True}),
    ("nemotron_h", {"moe_latent_size": None, "mlp_bias": True, "use_bias": True}),
    ("jamba", {"mamba_proj_bias": True, "mamba_conv_bias": False, "mamba_dt_rank": "auto"}),
    ("gemma4_text", {"attention_k_eq_v": True, "num_global_key_value_heads": 1}),
    (
        "gemma4_text",
        {
            "enable_moe_block": True,
            "num_experts": 6,
            "top_k_experts": 2,
            "moe_intermediate_size": 40,
            "use_double_wide_mlp": False,
            "num_kv_shared_layers": 0,
            "hidden_size_per_layer_input": 0,
        },
    ),
]


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


def test_every_family_that_transformers_holds_is_tested() -> None:
    assert set(FAMILIES) - NOT_IN_TRANSFORMERS == set(SMALL)


@pytest.mark.parametrize("family", SMALL)
def test_a_small_model_has_the_parameters_of_its_class(family: str) -> None:
    config = small(family)
    assert total(parameters(from_dict(values(config), family).shape)) == parameters_of(config)


@pytest.mark.parametrize("family", SMALL)
def test_the_size_that_a_class_has_by_default_has_its_parameters(family: str) -> None:
    config = CONFIG_MAPPING[family](**DEFAULTS.get(family, {}))
    assert total(parameters(from_dict(values(config), family).shape)) == parameters_of(config)


@pytest.mark.parametrize(("family", "changes"), VARIANTS)
def test_fields_that_are_seldom_set_count_as_in_the_class(
    family: str, changes: dict[str, Any]
) -> None:
    config = small(family, **changes)
    assert total(parameters(from_dict(values(config), family).shape)) == parameters_of(config)


def test_a_checkpoint_spelling_is_read_as_its_class() -> None:
    config = small("deepseek_v3")
    known = from_dict(values(config), "deepseek_v3").shape
    assert from_dict({**values(config), "model_type": "kimi_k2"}, "kimi_k2").shape == known


def test_the_table_of_the_docs_has_every_family_with_these_counts() -> None:
    pattern = r"^\| `(\w+)` \| .* \| ([\d,]+) \| ([\d,]+) \|$"
    rows = re.findall(pattern, PAGE.read_text(), re.MULTILINE)
    assert [family for family, *_ in rows] == list(SMALL)
    for family, whole, flop in rows:
        default = CONFIG_MAPPING[family](**DEFAULTS.get(family, {}))
        shape = from_dict(values(small(family)), family, seq_len=24).shape
        assert int(whole.replace(",", "")) == total(
            parameters(from_dict(values(default), family).shape)
        )
        assert int(flop.replace(",", "")) == total(forward_flop(shape))

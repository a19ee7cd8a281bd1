"""Every field of a configuration is used, known not to matter, or refused by its name."""

import json
from pathlib import Path
from typing import Any

import pytest

from energy.configurations.families import FAMILIES
from energy.configurations.fields import RefusedError
from energy.configurations.irrelevant import IRRELEVANT
from energy.configurations.read import from_dict, is_configuration, model_name, read
from energy.errors import InputError
from energy.flops import model_flop
from energy.shape import parameters, total
from tests.support.configurations import SMALL, small, values

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 160,
}
MIXTURE = {**LLAMA, "model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2}


@pytest.mark.parametrize("family", SMALL)
def test_no_field_that_a_class_writes_is_ignored_silently(family: str) -> None:
    config = values(small(family))
    from_dict(config, family)
    with pytest.raises(RefusedError, match="brand_new_size"):
        from_dict({**config, "brand_new_size": 3}, family)


@pytest.mark.parametrize("family", SMALL)
def test_a_field_that_is_called_irrelevant_changes_no_count(family: str) -> None:
    config = values(small(family))
    before = from_dict(config, family).shape
    without = {
        name: value
        for name, value in config.items()
        if name not in IRRELEVANT or name == "model_type"
    }
    after = from_dict(without, family).shape
    assert after == before


@pytest.mark.parametrize("family", ["llama", "mixtral", "deepseek_v3", "qwen3_next", "nemotron_h"])
def test_every_size_that_a_shape_needs_is_missed_by_its_name(family: str) -> None:
    config = values(small(family))
    for field in ("hidden_size", "num_attention_heads", "vocab_size"):
        rest = {name: value for name, value in config.items() if name != field}
        with pytest.raises(RefusedError) as refused:
            from_dict(rest, family)
        assert refused.value.names == (field,)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_type": "a-model-of-tomorrow"}, "model_type"),
        ({"model_type": None}, "model_type"),
        ({"hidden_size": -64}, "hidden_size"),
        ({"hidden_size": 64.5}, "hidden_size"),
        ({"hidden_size": "64"}, "hidden_size"),
        ({"num_key_value_heads": 3}, "n_kv_heads"),
        ({"layer_types": ["full_attention"]}, "layer_types"),
        ({"layer_types": ["full_attention", "sideways_attention"]}, "layer_types"),
        ({"num_attention_heads": 5}, "head_dim"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings"),
        ({"use_cla": True}, "use_cla"),
        ({"linear_attn_config": [1]}, "linear_attn_config"),
    ],
)
def test_a_field_that_cannot_be_counted_is_refused_by_its_name(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        from_dict({**LLAMA, **changes}, "config.json")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"num_experts": 6}, "num_experts"),
        ({"num_experts_per_tok": None}, "num_experts_per_tok"),
        ({"num_experts_per_tok": 5}, "top_k"),
        ({"intermediate_size": 0}, "d_expert"),
        ({"num_experts_per_tok": [2, 1]}, "num_experts_per_tok"),
    ],
)
def test_a_mixture_that_contradicts_itself_is_refused_by_the_field(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        from_dict({**MIXTURE, **changes}, "config.json")


def test_a_list_of_the_same_number_for_every_layer_is_that_number() -> None:
    listed = {**MIXTURE, "num_experts_per_tok": [2, 2], "intermediate_size": [96, 96]}
    assert from_dict(listed, "config.json").shape == from_dict(MIXTURE, "config.json").shape


def test_the_decoder_of_a_multimodal_model_is_counted_and_the_rest_named() -> None:
    whole = {
        "model_type": "gemma3",
        "text_config": values(small("gemma3_text")),
        "vision_config": {},
    }
    configuration = from_dict(whole, "config.json")
    assert configuration.shape == from_dict(whole["text_config"], "config.json").shape
    assert "left out: vision_config" in configuration.notes


def test_weights_that_are_stored_quantized_are_noted() -> None:
    notes = from_dict({**LLAMA, "quantization_config": {"bits": 4}}, "config.json").notes
    assert any("quantized" in note for note in notes)


def test_multi_token_prediction_is_noted_and_can_be_counted() -> None:
    shape = from_dict(values(small("deepseek_v3")), "config.json").shape
    trained = type(shape).from_dict({**shape.as_dict(), "n_prediction_layers": 1})
    layer = total(parameters(shape)) - total(
        parameters(from_dict(values(small("deepseek_v3", num_hidden_layers=3)), "").shape)
    )
    # A whole layer, 2 M to M, and norms of its two inputs and of its output.
    assert total(parameters(trained)) - total(parameters(shape)) == layer + 2 * 64**2 + 3 * 64
    assert total(model_flop(trained)) > total(model_flop(shape))


def test_sequences_are_those_that_are_named_or_assumed_with_a_note() -> None:
    named = from_dict({**LLAMA, "max_position_embeddings": 131072}, "config.json", seq_len=8192)
    assumed = from_dict({**LLAMA, "max_position_embeddings": 131072}, "config.json")
    assert (named.shape.seq_len, assumed.shape.seq_len) == (8192, 4096)
    assert any("4,096 tokens assumed" in note for note in assumed.notes)


def test_a_file_or_its_folder_is_read_and_named_after_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA))
    assert is_configuration(str(folder))
    assert is_configuration(str(folder / "config.json"))
    assert read(folder).shape == read(folder / "config.json").shape
    assert model_name(str(folder)) == model_name(str(folder / "config.json")) == "my-model"


@pytest.mark.parametrize("text", ["", "[1]", "{", "\x00", '{"model_type": 3}', "[" * 9000])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(InputError):
        read(path)


def test_a_family_is_never_read_as_another() -> None:
    for name in ("llama5", "qwen9", "Mixtral", "deepseek"):
        assert name not in FAMILIES
        with pytest.raises(RefusedError, match="model_type"):
            from_dict({**MIXTURE, "model_type": name}, "config.json")

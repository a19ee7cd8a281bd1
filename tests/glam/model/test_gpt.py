"""The dense baseline is a GPT that computes what transformers' GPT-2 computes."""

import shutil
from dataclasses import replace

import pytest
import torch

from energy.errors import InputError
from energy.facts import catalog
from energy.flops import forward_flop
from energy.shape import Shape, total
from glam.checkpoints.checkpoint import latest_checkpoint
from glam.config import GlamConfig
from glam.model.decoder import Glam
from glam.training.optimizer import build_optimizer
from tests.glam.test_presets import RECIPE_TOML
from tests.support.small_models import CLOSE

SHAPE = Shape(
    n_layers=2,
    d_model=32,
    n_heads=4,
    n_kv_heads=4,
    d_head=8,
    d_ff=72,
    ffn_matrices=2,
    vocab_size=120,
    seq_len=16,
    position_rows=20,
    norm_vectors=2,
)
SPLIT = {
    "attn.c_attn": ("attention.query", "attention.key", "attention.value"),
    "attn.c_proj": ("attention.output",),
    "mlp.c_fc": ("ffn.up",),
    "mlp.c_proj": ("ffn.down",),
}
NORMS = {"ln_1": "attention_norm", "ln_2": "ffn_norm"}


@pytest.fixture
def twins():
    """Our model and transformers' with equal weights; norms are not at their initial values."""
    from transformers import GPT2Config, GPT2LMHeadModel

    ours = Glam(SHAPE, seed=3)
    for name, parameter in ours.named_parameters():
        if name.endswith(("scale", "shift")):
            torch.nn.init.normal_(parameter, mean=float("scale" in name), std=0.2)
    theirs = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=120,
            n_positions=20,
            n_embd=32,
            n_layer=2,
            n_head=4,
            n_inner=72,
            activation_function="gelu",
            resid_pdrop=0,
            embd_pdrop=0,
            attn_pdrop=0,
        )
    ).train()
    with torch.no_grad():
        for name, weight in theirs.named_parameters():
            weight.copy_(counterpart(ours, name, lambda parameter: parameter, bias_like=weight))
    return ours, theirs


def counterpart(ours, name, value_of, bias_like):
    """Return our parameters, or their gradients, under a GPT-2 name; biases are 0."""
    names = {
        "transformer.wte.weight": "embedding",
        "transformer.wpe.weight": "positions",
        "transformer.ln_f.weight": "norm.scale",
        "transformer.ln_f.bias": "norm.shift",
    }
    parameters = dict(ours.named_parameters())
    if name in names:
        return value_of(parameters[names[name]])
    _, _, layer, part = name.split(".", 3)
    part, kind = part.rsplit(".", 1)
    if part in NORMS:
        vector = "scale" if kind == "weight" else "shift"
        return value_of(parameters[f"layers.{layer}.{NORMS[part]}.{vector}"])
    if kind == "bias":
        return torch.zeros_like(bias_like)
    weights = [parameters[f"layers.{layer}.{module}.weight"] for module in SPLIT[part]]
    return torch.cat([value_of(weight).T for weight in weights], dim=1)


def test_loss_logits_and_gradients_equal_those_of_transformers_gpt2(twins):
    ours, theirs = twins
    tokens = torch.randint(120, (3, 17), generator=torch.Generator().manual_seed(1))
    expected = theirs(input_ids=tokens, labels=tokens)
    loss = ours(tokens).loss
    torch.testing.assert_close(loss, expected.loss, **CLOSE)
    torch.testing.assert_close(ours.logits(tokens), expected.logits[:, -1], **CLOSE)
    loss.backward()
    expected.loss.backward()
    for name, weight in theirs.named_parameters():
        if name.endswith("bias") and ".ln_" not in name:
            continue  # our GPT has no such bias
        gradient = counterpart(ours, name, lambda parameter: parameter.grad, bias_like=weight)
        torch.testing.assert_close(weight.grad, gradient, **CLOSE)


def test_gpt_mini_has_the_flop_per_token_of_the_dense_glam_it_is_compared_with():
    gpt, glam = (catalog.model(name).shape for name in ("gpt-mini", "glam-mini"))
    assert total(forward_flop(gpt)) == total(forward_flop(glam))


def test_hidden_states_depend_on_positions_but_not_on_the_future():
    model = Glam(SHAPE, seed=3)
    same = torch.full((1, 16), 7)
    hidden, _ = model.hidden_states(same)
    assert not torch.allclose(hidden[0, 0], hidden[0, 1])
    other = same.clone()
    other[0, 9:] = 11
    torch.testing.assert_close(model.hidden_states(other)[0][0, :9], hidden[0, :9])


def test_weight_decay_applies_to_the_positions_of_a_gpt_but_not_to_its_norms():
    training = GlamConfig(name="gpt", shape=SHAPE).with_training(optimizer="adamw").training
    model = Glam(SHAPE)
    decayed, undecayed = build_optimizer(model, training).param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {names[id(p)].rsplit(".", 1)[-1] for p in undecayed["params"]} == {"scale", "shift"}
    assert "positions" in {names[id(p)] for p in decayed["params"]}


@pytest.mark.parametrize(
    ("change", "expectation"),
    [
        ({"position_rows": 8}, "position_rows to be at least seq_len, 16"),
        ({"ffn_matrices": 3}, "ffn_matrices to be 2 in a GPT"),
        ({"norm_vectors": 1}, "norm_vectors to be 2 in a GPT"),
        ({"relative_buckets": 32}, "relative_buckets to be 0 in a GPT"),
        ({"n_moe_layers": 1, "n_experts": 4, "d_expert": 8}, "n_moe_layers to be 0 in a GPT"),
        ({"position_rows": 0}, "ffn_matrices to be 3 in a GLaM"),
    ],
)
def test_a_shape_of_neither_family_is_refused_with_what_is_expected(change, expectation):
    with pytest.raises(InputError, match=expectation):
        GlamConfig(name="neither", shape=replace(SHAPE, **change))


def test_a_sequence_longer_than_the_positions_is_refused():
    model = Glam(SHAPE)
    model.logits(torch.zeros(1, 20, dtype=torch.long))
    with pytest.raises(InputError, match=r"at most 20 tokens \(position_rows\); got 21"):
        model.logits(torch.zeros(1, 21, dtype=torch.long))


def test_a_gpt_resumed_half_way_ends_with_the_bits_of_the_whole_run(glam, tmp_path):
    file, whole, cut = tmp_path / "run.toml", tmp_path / "whole", tmp_path / "cut"
    shape = "\n".join(
        f"{name} = {getattr(SHAPE, name)}"
        for name in (
            "n_layers",
            "d_model",
            "n_heads",
            "n_kv_heads",
            "d_head",
            "d_ff",
            "ffn_matrices",
            "seq_len",
            "position_rows",
            "norm_vectors",
        )
    )
    recipe = RECIPE_TOML.replace("[training]", "[training]\ncheckpoint_every = 10")
    file.write_text(f"[shape]\nvocab_size = 400\n{shape}\n{recipe}")
    train = ("train", "--model", file, "--device", "cpu", "--out")
    assert glam(*train, whole).code == 0
    half = "checkpoints/step-00000010"
    shutil.copytree(whole / half, cut / half)
    assert glam(*train, cut, "--resume").code == 0
    expected, resumed = (latest_checkpoint(run / "checkpoints") for run in (whole, cut))
    assert expected.step == resumed.step == 20
    assert all(resumed.tensors[name].equal(tensor) for name, tensor in expected.tensors.items())
    text = glam("generate", whole, "--prompt", "def ", "--tokens", 30).out
    assert len(text) > len("def \n")

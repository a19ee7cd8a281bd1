"""The dense baseline is a GPT: it computes what transformers' GPT-2 computes."""

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
from tests.glam.test_presets import REST, command
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
    """Ours, and transformers' of the same weights, norms and biases off their first values."""
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
            weight.copy_(counterpart(ours, name, lambda parameter: parameter, like=weight))
    return ours, theirs


def counterpart(ours, name, of, like):
    """What our parameters, or their gradients, are under GPT-2's names; biases are 0."""
    known = {
        "transformer.wte.weight": "embedding",
        "transformer.wpe.weight": "positions",
        "transformer.ln_f.weight": "norm.scale",
        "transformer.ln_f.bias": "norm.shift",
    }
    get = dict(ours.named_parameters())
    if name in known:
        return of(get[known[name]])
    _, _, layer, part = name.split(".", 3)
    part, kind = part.rsplit(".", 1)
    if part in NORMS:
        return of(get[f"layers.{layer}.{NORMS[part]}.{'scale' if kind == 'weight' else 'shift'}"])
    if kind == "bias":
        return torch.zeros_like(like)
    return torch.cat([of(get[f"layers.{layer}.{one}.weight"]).T for one in SPLIT[part]], dim=1)


def test_loss_logits_and_gradients_equal_transformers_gpt2_with_copied_weights(twins):
    ours, theirs = twins
    tokens = torch.randint(120, (3, 17), generator=torch.Generator().manual_seed(1))
    found = theirs(input_ids=tokens, labels=tokens)
    loss = ours(tokens).loss
    torch.testing.assert_close(loss, found.loss, **CLOSE)
    torch.testing.assert_close(ours.logits(tokens), found.logits[:, -1], **CLOSE)
    loss.backward()
    found.loss.backward()
    for name, weight in theirs.named_parameters():
        if name.endswith("bias") and ".ln_" not in name:
            continue  # of a bias that a GPT of ours does not have
        wanted = counterpart(ours, name, lambda parameter: parameter.grad, like=weight)
        torch.testing.assert_close(weight.grad, wanted, **CLOSE)


def test_a_gpt_of_the_catalogue_does_as_many_flop_a_token_as_the_dense_glam_it_is_held_against():
    gpt, glam = (catalog.model(name).shape for name in ("gpt-mini", "glam-mini"))
    assert total(forward_flop(gpt)) == total(forward_flop(glam))


def test_positions_move_the_logits_and_the_future_does_not():
    model = Glam(SHAPE, seed=3)
    same = torch.full((1, 16), 7)
    hidden, _ = model.hidden(same)
    assert not torch.allclose(hidden[0, 0], hidden[0, 1])
    other = same.clone()
    other[0, 9:] = 11
    torch.testing.assert_close(model.hidden(other)[0][0, :9], hidden[0, :9])


def test_norms_of_a_gpt_are_not_decayed_and_its_positions_are():
    training = GlamConfig(name="gpt", shape=SHAPE).with_training(optimizer="adamw").training
    model = Glam(SHAPE)
    decayed, still = build_optimizer(model, training).param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {names[id(p)].rsplit(".", 1)[-1] for p in still["params"]} == {"scale", "shift"}
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
def test_what_is_neither_a_glam_nor_a_gpt_is_refused_with_what_it_would_have_to_be(
    change, expectation
):
    with pytest.raises(InputError, match=expectation):
        GlamConfig(name="neither", shape=replace(SHAPE, **change))


def test_a_sequence_longer_than_the_positions_is_refused():
    model = Glam(SHAPE)
    model.logits(torch.zeros(1, 20, dtype=torch.long))
    with pytest.raises(InputError, match=r"at most 20 tokens \(position_rows\); got 21"):
        model.logits(torch.zeros(1, 21, dtype=torch.long))


def test_a_gpt_resumed_half_way_ends_with_the_bits_of_the_whole_run_and_gives_text(
    monkeypatch, capsys, tmp_path
):
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
    rest = REST.replace("[training]", "[training]\ncheckpoint_every = 10")
    file.write_text(f"[shape]\nvocab_size = 400\n{shape}\n{rest}")
    asked = ("train", "--model", file, "--device", "cpu", "--out")
    assert command(monkeypatch, *asked, whole) == 0
    half = "checkpoints/step-00000010.safetensors"
    (cut / half).parent.mkdir(parents=True)
    (cut / half).write_bytes((whole / half).read_bytes())
    assert command(monkeypatch, *asked, cut, "--resume") == 0
    one, other = (latest_checkpoint(run / "checkpoints") for run in (whole, cut))
    assert one.step == other.step == 20
    assert all(other.tensors[name].equal(tensor) for name, tensor in one.tensors.items())
    capsys.readouterr()
    assert command(monkeypatch, "generate", whole, "--prompt", "def ", "--tokens", 30) == 0
    assert len(capsys.readouterr().out) > len("def \n")

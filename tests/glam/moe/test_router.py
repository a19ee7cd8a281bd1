"""Routers of GLaM's relatives equal transformers' with copied weights; GLaM's is as it was."""

from dataclasses import replace

import pytest
import torch

from energy.errors import InputError
from energy.flops import forward_flop
from energy.shape import parameters, total
from glam.architecture import GLAM, PLAIN
from glam.checkpoints.checkpoint import checkpoints, load_checkpoint
from glam.config import Dispatch, GlamConfig
from glam.model.decoder import Glam
from glam.moe.layer import MixtureOfExperts
from glam.moe.router import Router, auxiliary_loss
from glam.relatives import DEFAULTS, relative_of
from glam.training.run import train
from tests.support.small_models import CLOSE, mixture, small_run

EXPERTS, TOP_K, WIDTH = 16, 4, 32


def like(name, **fields):
    """The architecture of PLAIN, whose experts are GELU networks, with the router of a relative."""
    return replace(PLAIN, **{**relative_of(name).architecture, **fields})


def router(architecture, top_k=TOP_K):
    torch.manual_seed(0)
    own = Router(mixture(EXPERTS, top_k), Dispatch(), architecture)
    torch.nn.init.normal_(own.weight, std=0.5)
    return own


def theirs(name, **fields):
    """The gate of a class of transformers, and its configuration."""
    from transformers.models.deepseek_v3 import modeling_deepseek_v3 as deepseek
    from transformers.models.mixtral import modeling_mixtral as mixtral
    from transformers.models.olmoe import modeling_olmoe as olmoe
    from transformers.models.qwen3_moe import modeling_qwen3_moe as qwen

    config_class, gate_class = {
        "mixtral": (mixtral.MixtralConfig, mixtral.MixtralTopKRouter),
        "qwen3_moe": (qwen.Qwen3MoeConfig, qwen.Qwen3MoeTopKRouter),
        "olmoe": (olmoe.OlmoeConfig, olmoe.OlmoeTopKRouter),
        "deepseek_v3": (deepseek.DeepseekV3Config, deepseek.DeepseekV3TopkRouter),
    }[name]
    experts = {"mixtral": "num_local_experts", "deepseek_v3": "n_routed_experts"}
    config = config_class(
        hidden_size=WIDTH,
        num_experts_per_tok=TOP_K,
        **{experts.get(name, "num_experts"): EXPERTS},
        **fields,
    )
    return gate_class(config), config


def in_order(experts, weights):
    """Choices sorted by expert, as some classes do not sort them by weight."""
    order = experts.argsort(-1)
    return experts.gather(-1, order), weights.gather(-1, order)


@pytest.mark.parametrize(
    ("name", "fields", "sum_of_weights"),
    [
        ("mixtral", {}, 1.0),
        ("qwen3_moe", {}, None),
        ("qwen3_moe", {"norm_topk_prob": True}, 1.0),
        ("olmoe", {}, None),
        ("deepseek_v3", {}, 2.5),
        ("deepseek_v3", {"norm_topk_prob": False, "n_group": 1, "topk_group": 1}, None),
    ],
)
def test_choices_weights_and_gradients_are_those_of_transformers(name, fields, sum_of_weights):
    gate, _ = theirs(name, **fields)
    own = like(name)
    if "norm_topk_prob" in fields:
        own = replace(own, router_renormalize=fields["norm_topk_prob"])
    if "n_group" in fields:
        own = replace(own, router_groups=1, router_top_groups=1)
    ours = router(own)
    with torch.no_grad():
        gate.weight.copy_(ours.weight)
        if name == "deepseek_v3":
            ours.bias.normal_(std=0.1, generator=torch.Generator().manual_seed(1))
            gate.e_score_correction_bias.copy_(ours.bias)
    x = torch.randn(50, WIDTH, generator=torch.Generator().manual_seed(2))
    _, weights, experts = ours.choose(ours.logits(x))
    _, their_weights, their_experts = gate(x)
    if sum_of_weights is not None:
        torch.testing.assert_close(weights.sum(-1), torch.full((50,), sum_of_weights))
    else:
        assert (weights.sum(-1) - 1).abs().min() > 1e-4
    experts, weights = in_order(experts, weights)
    their_experts, their_weights = in_order(their_experts, their_weights)
    assert torch.equal(experts, their_experts)
    torch.testing.assert_close(weights, their_weights, **CLOSE)
    error = torch.randn(50, TOP_K, generator=torch.Generator().manual_seed(3))
    (own_gradient,) = torch.autograd.grad((weights * error).sum(), ours.weight)
    (gradient,) = torch.autograd.grad((their_weights * error).sum(), gate.weight)
    torch.testing.assert_close(own_gradient, gradient, **CLOSE)


def test_a_bias_moves_choices_and_no_weight():
    ours = router(like("deepseek_v3", router_groups=1, router_top_groups=1))
    x = torch.randn(20, WIDTH, generator=torch.Generator().manual_seed(2))
    gates, _, experts = ours.choose(ours.logits(x))
    ours.bias[5] = 10.0
    _, weights, moved = ours.choose(ours.logits(x))
    assert (moved == 5).any(-1).all()
    assert not (experts == 5).any(-1).all()
    own = gates.gather(1, moved)
    torch.testing.assert_close(weights, 2.5 * own / own.sum(-1, keepdim=True))


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_defaults_of_a_relative_are_those_of_its_class(name):
    _, config = theirs(name)
    for field, value in DEFAULTS[name].items():
        if name != "mixtral" or field != "norm_topk_prob":  # which its class has no field for
            assert getattr(config, field) == value, field


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_the_balancing_loss_of_all_choices_is_that_of_transformers_and_k_when_uniform(top_k):
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    ours = router(like("mixtral"), top_k)
    x = torch.randn(64, WIDTH, generator=torch.Generator().manual_seed(2))
    logits = ours.logits(x)
    expected = load_balancing_loss_func((logits,), EXPERTS, top_k)
    torch.testing.assert_close(ours(x).auxiliary_loss, expected, **CLOSE)
    uniform = torch.full((EXPERTS, EXPERTS), 1 / EXPERTS)
    turns = (torch.arange(EXPERTS).unsqueeze(1) + torch.arange(top_k)) % EXPERTS
    assert auxiliary_loss(uniform, turns).item() == pytest.approx(top_k)
    # GShard's counts first choices: 1 when uniform, whatever K.
    assert auxiliary_loss(uniform, turns[:, 0]).item() == pytest.approx(1)


def test_a_configuration_that_names_no_router_is_glams_bit_for_bit():
    """The formula as it was before relatives could be chosen, with its gradients."""
    ours = router(GLAM, 2)
    x = torch.randn(40, WIDTH, generator=torch.Generator().manual_seed(2))
    routing = ours(x)
    weight = ours.weight.detach().clone().requires_grad_()
    gates = (x @ weight.T).softmax(-1)
    weights, experts = gates.topk(2, dim=-1)
    weights = weights / weights.sum(-1, keepdim=True)
    load = torch.zeros(EXPERTS).scatter_add_(0, experts[:, 0], torch.ones(40)) / 40
    loss = EXPERTS * (load * gates.mean(0)).sum()
    assert torch.equal(routing.experts, experts)
    assert torch.equal(routing.weights, weights)
    assert torch.equal(routing.auxiliary_loss, loss)
    (own,) = torch.autograd.grad(routing.weights[:, 0].sum() + routing.auxiliary_loss, ours.weight)
    (gradient,) = torch.autograd.grad(weights[:, 0].sum() + loss, weight)
    assert torch.equal(own, gradient)
    assert "bias" not in ours.state_dict()
    assert not GLAM.own_router


def test_shared_experts_equal_those_of_transformers_block():
    """Gated experts whose up-projection returns 1 are plain ones, as in test_layer.py."""
    from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3MoE

    _, config = theirs(
        "deepseek_v3", moe_intermediate_size=24, n_shared_experts=2, hidden_act="gelu"
    )
    config._experts_implementation = "eager"
    block = DeepseekV3MoE(config).eval()
    torch.manual_seed(0)
    shape = replace(mixture(EXPERTS, TOP_K), n_shared_experts=2)
    moe = MixtureOfExperts(shape, architecture=like("deepseek_v3"))
    for weight in moe.parameters():
        torch.nn.init.normal_(weight, std=0.3)

    def ones(*size):
        up = torch.zeros(*size, WIDTH)
        up[..., -1] = 1
        return up

    with torch.no_grad():
        block.gate.weight.copy_(moe.router.weight)
        block.experts.gate_up_proj.copy_(torch.cat([moe.experts.up, ones(EXPERTS, 24)], 1))
        block.experts.down_proj.copy_(moe.experts.down)
        block.shared_experts.gate_proj.weight.copy_(moe.shared.up.weight)
        block.shared_experts.up_proj.weight.copy_(ones(48))
        block.shared_experts.down_proj.weight.copy_(moe.shared.down.weight)
    x = torch.randn(2, 16, WIDTH)
    x[..., -1] = 1
    torch.testing.assert_close(moe(x)[0], block(x), **CLOSE)
    torch.testing.assert_close(moe.infer(x[:1, :1]), block(x[:1, :1]), **CLOSE)


@pytest.mark.parametrize("name", DEFAULTS)
def test_parameters_and_flop_of_a_relative_are_those_that_are_counted(name):
    from torch.utils.flop_counter import FlopCounterMode

    base = GlamConfig(name="small", shape=mixture(EXPERTS, TOP_K))
    config = base.with_router_of(name)
    model = Glam.of(config)
    assert sum(p.numel() for p in model.parameters()) == total(parameters(config.shape))
    shared = forward_flop(config.shape).get("shared_experts", 0)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        for layer in model.layers:
            if isinstance(layer.ffn, MixtureOfExperts) and layer.ffn.shared is not None:
                layer.ffn.shared(torch.randn(7, WIDTH))
    assert counter.get_total_flops() == 7 * shared
    assert bool(shared) == (name == "deepseek_v3")


def test_loss_free_balancing_evens_a_load_that_its_absence_leaves_uneven():
    """The steps of the biases are those of the paper, and a skewed router becomes balanced."""
    ours = router(like("deepseek_v3", router_groups=1, router_top_groups=1, router_bias_step=0.01))
    x = torch.randn(512, WIDTH, generator=torch.Generator().manual_seed(2)) + 0.5
    before = ours(x)
    ours.balance(before)
    over = before.load > 1 / EXPERTS
    torch.testing.assert_close(ours.bias, torch.where(over, -0.01, 0.01))
    for _ in range(200):
        ours.balance(ours(x))
    after = ours(x)
    assert before.max_violation() > 1
    assert after.max_violation() < 0.2


@pytest.mark.slow
def test_a_run_moves_its_biases_after_each_update_and_keeps_them_in_its_checkpoints(tmp_path):
    config = small_run(steps=2)
    config = replace(config, shape=replace(config.shape, n_experts=EXPERTS))
    config = config.with_router_of("deepseek_v3")
    assert GlamConfig.from_dict(config.as_dict()) == config
    train(config, tmp_path)
    saved = load_checkpoint(checkpoints(tmp_path / "checkpoints")[-1])
    bias = saved.tensors["model.layers.0.ffn.router.bias"]
    steps = [round(value / 0.001) for value in bias.tolist()]
    assert set(steps) <= {-2, -1, 0, 1, 2}
    assert {-2, 2} & set(steps)
    model = Glam.from_checkpoint(saved)
    assert torch.equal(model.layers[0].ffn.router.bias, bias)
    resumed = train(config.with_training(steps=3), tmp_path, resume=True)
    assert resumed.tokens.numbers()[0] == 3 * config.tokens_per_step


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.with_router_of("mixtrel"), "did you mean mixtral"),
        (
            lambda c: replace(c, shape=replace(c.shape, n_experts=4)).with_router_of("deepseek_v3"),
            "a divisor that leaves two or more",
        ),
        (lambda c: c.with_router("gshard").with_router_of("olmoe"), "dropless, switch, or glam"),
        (lambda c: replace(c, shape=c.shape.dense()).with_router_of("mixtral"), "a mixture"),
    ],
)
def test_a_router_that_does_not_fit_is_refused_with_what_would(change, message):
    config = GlamConfig(name="small", shape=mixture(EXPERTS, 2))
    with pytest.raises(InputError, match=message):
        change(config)


def test_a_configuration_sets_the_router_and_its_coefficient(tmp_path):
    _, config = theirs("qwen3_moe", norm_topk_prob=True, router_aux_loss_coef=0.02)
    config.save_pretrained(tmp_path)
    base = GlamConfig(name="small", shape=mixture(EXPERTS, 2))
    own = base.with_router_of(str(tmp_path))
    assert own.architecture.router_renormalize
    assert own.architecture.balance_choices == "all"
    assert own.training.auxiliary_weight == 0.02
    assert own.shape == base.shape
    with pytest.raises(InputError, match="--model glam-mini-16e --router-of"):
        GlamConfig.of(str(tmp_path / "config.json"))

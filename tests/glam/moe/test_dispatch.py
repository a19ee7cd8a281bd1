"""Dispatch with capacity equals GShard's algorithm 1 in a plain loop; runs log their routing."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import relu

from energy import RunRecord
from energy.errors import InputError
from glam.config import Dispatch, GlamConfig
from glam.model.decoder import Glam
from glam.moe.capacity import expert_capacity, expert_padding
from glam.moe.layer import MixtureOfExperts
from glam.training.run import train
from tests.support.small_models import CLOSE, metrics_rows, mixture, small_run


def build_layer(n_experts: int, top_k: int, dispatch: Dispatch) -> MixtureOfExperts:
    torch.manual_seed(n_experts + top_k)
    moe = MixtureOfExperts(mixture(n_experts, top_k), dispatch)
    for weight in moe.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return moe


def algorithm_1(moe, x, dispatch, draws):
    """Return the output of GShard's algorithm 1 with counters, and its number of drops."""
    tokens, n_experts = x.reshape(-1, x.shape[-1]), len(moe.router.weight)
    top_k, drops, rows = moe.router.top_k, 0, []
    for start in range(0, len(tokens), dispatch.group_tokens):
        group = tokens[start : start + dispatch.group_tokens]
        slots = math.ceil(dispatch.capacity_factor * top_k * dispatch.group_tokens / n_experts)
        slots = len(group) * top_k if draws is None else slots  # evaluation: room for all
        count = [0] * n_experts
        gates = torch.softmax(group @ moe.router.weight.T, -1)
        weights, chosen = gates.topk(top_k, -1)
        weights = weights / weights.sum(-1, keepdim=True) if top_k > 1 else weights
        outputs = [torch.zeros(x.shape[-1]) for _ in group]
        for k in range(top_k):
            for s, token in enumerate(group):
                e, weight = int(chosen[s, k]), weights[s, k]
                if k == 1 and draws is not None and not 2 * weight > draws[start + s]:
                    continue
                if count[e] < slots:
                    count[e] += 1
                    hidden = relu(moe.experts.up[e] @ token)
                    outputs[s] = outputs[s] + weight * (moe.experts.down[e] @ hidden)
                else:
                    drops += 1
        rows += outputs
    return torch.stack(rows).view(x.shape), drops


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("n_experts", "top_k", "factor", "group"),
    [(4, 2, 1.0, 16), (8, 2, 0.5, 48), (8, 2, 2.0, 12), (4, 1, 1.0, 24), (16, 1, 0.6, 20)],
)
def test_output_gradients_and_drops_equal_those_of_gshards_algorithm(
    n_experts, top_k, factor, group, training
):
    kind = "gshard" if top_k == 2 else "switch"
    dispatch = Dispatch(kind=kind, capacity_factor=factor, group_tokens=group)
    moe = build_layer(n_experts, top_k, dispatch)
    x = torch.randn(3, 16, 32, requires_grad=True)
    error = torch.randn(3, 16, 32)
    generator = torch.Generator().manual_seed(7) if training else None
    draws = torch.rand(48, generator=torch.Generator().manual_seed(7)) if training else None
    ours, routing = moe(x, generator)
    theirs, drops = algorithm_1(moe, x, dispatch, draws)
    torch.testing.assert_close(ours, theirs, **CLOSE)
    assert routing.dropped.item() == pytest.approx(drops / (48 * top_k))
    weights = [x, *moe.parameters()]
    for gradient, reference in zip(
        torch.autograd.grad(ours, weights, error),
        torch.autograd.grad(theirs, weights, error),
        strict=True,
    ):
        torch.testing.assert_close(gradient, reference, **CLOSE)


def test_a_small_capacity_drops_tokens():
    dispatch = Dispatch(kind="gshard", capacity_factor=0.5, group_tokens=48)
    moe = build_layer(8, 2, dispatch)
    x = torch.randn(3, 16, 32)
    assert moe(x, torch.Generator().manual_seed(0))[1].dropped > 0
    _, routing = moe(x)
    assert routing.dropped == routing.second_expert_skipped == 0  # evaluation


@pytest.mark.parametrize("factor", [0.5, 8.0])
@pytest.mark.parametrize(("kind", "top_k"), [("gshard", 2), ("switch", 1)])
def test_every_dispatch_is_dropless_in_evaluation(kind, top_k, factor):
    limited = build_layer(8, top_k, Dispatch(kind=kind, capacity_factor=factor, group_tokens=16))
    dropless = build_layer(8, top_k, Dispatch())
    x = torch.randn(3, 16, 32)
    torch.testing.assert_close(limited(x)[0], dropless(x)[0], **CLOSE)


@pytest.mark.parametrize(("kind", "top_k"), [("gshard", 2), ("switch", 1), ("dropless", 2)])
def test_evaluation_looks_neither_ahead_nor_at_other_sequences(kind, top_k):
    """Tokens from position 20 on, and a second sequence, change nothing before them."""
    dispatch = Dispatch(kind=kind, capacity_factor=0.6, group_tokens=64)
    model = Glam(replace(mixture(4, top_k), seq_len=32), seed=1, dispatch=dispatch)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        tokens = torch.randint(1, 64, (2, 33), generator=generator)
        others = tokens.clone()
        others[0, 20:] = torch.randint(1, 64, (13,), generator=generator)
        others[1] = torch.randint(1, 64, (33,), generator=generator)
        with torch.no_grad():
            ours, theirs = (model.hidden_states(x)[0][0, :20] for x in (tokens, others))
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@given(
    hundredths=st.integers(1, 400),
    top_k=st.integers(1, 8),
    tokens=st.integers(1, 4096),
    experts=st.integers(1, 256),
)
def test_capacity_is_exact_for_factors_in_decimal_digits(hundredths, top_k, tokens, experts):
    slots = expert_capacity(hundredths / 100, top_k, tokens, experts)
    assert (slots - 1) * 100 * experts < hundredths * top_k * tokens <= slots * 100 * experts


def test_a_capacity_that_is_whole_is_not_rounded_up():
    assert 1.1 * 2 * 800 / 16 > 110  # in floats
    assert expert_capacity(1.1, 2, 800, 16) == 110


def test_a_second_expert_is_skipped_with_probability_one_minus_twice_its_weight():
    moe = build_layer(8, 2, Dispatch(kind="gshard", capacity_factor=8.0, group_tokens=4096))
    _, routing = moe(torch.randn(1, 4096, 32), torch.Generator().manual_seed(1))
    expected = (1 - 2 * routing.weights[:, 1]).mean().item() / 2
    # Standard error of 4,096 draws, at most 0.5 / 64 / 2.
    assert routing.second_expert_skipped.item() == pytest.approx(expected, abs=4 * 0.5 / 64 / 2)


def test_the_load_balancing_loss_is_the_mean_over_groups():
    dispatch = Dispatch(kind="gshard", group_tokens=16)
    moe = build_layer(4, 2, dispatch)
    x = torch.randn(3, 16, 32)
    by_group = [moe(x[i : i + 1])[1].auxiliary_loss for i in range(3)]
    torch.testing.assert_close(moe(x)[1].auxiliary_loss, torch.stack(by_group).mean(), **CLOSE)


def test_z_loss_and_entropy_follow_from_the_logits_of_the_router():
    moe = build_layer(8, 2, Dispatch())
    x = torch.randn(2, 16, 32)
    logits = x.reshape(-1, 32) @ moe.router.weight.T
    _, routing = moe(x)
    torch.testing.assert_close(routing.z_loss, torch.logsumexp(logits, -1).square().mean())
    entropy = torch.distributions.Categorical(logits=logits).entropy().mean()
    torch.testing.assert_close(routing.entropy, entropy, **CLOSE)


def test_max_violation_is_zero_when_balanced_and_experts_minus_one_when_collapsed():
    _, routing = build_layer(4, 2, Dispatch())(torch.randn(1, 16, 32))
    assert replace(routing, load=torch.full((4,), 0.25)).max_violation() == 0
    assert replace(routing, load=torch.tensor([0.0, 1, 0, 0])).max_violation() == 3


def test_padding_counts_the_slots_that_the_experts_compute():
    assert expert_capacity(1.25, 2, 1024, 64) == 40
    dispatch = Dispatch(kind="gshard", capacity_factor=1.25, group_tokens=1024)
    assert expert_padding(dispatch, 4096, 2, 64) == pytest.approx(1.25)
    assert expert_padding(Dispatch(), 4096, 2, 64) == 1


@pytest.mark.parametrize("kind", ["dropless", "glam", "gshard"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_padding_is_that_of_the_rows_that_reach_the_experts(kind, dtype, monkeypatch):
    moe, rows = build_layer(8, 2, Dispatch(kind=kind)), []
    for name in ("forward", "forward_slots"):
        original = getattr(moe.experts, name)
        monkeypatch.setattr(
            moe.experts,
            name,
            lambda x, *ends, original=original: (
                rows.append(x.shape[:-1].numel()) or original(x, *ends)
            ),
        )
    _, routing = moe(torch.randn(2, 25, 32), torch.Generator(), dtype)
    assert float(routing.padding) == pytest.approx(rows[0] / (2 * 25 * 2))
    assert (rows[0] == 100) == (kind == "dropless" and dtype == torch.float32)


@pytest.mark.parametrize(("kind", "top_k"), [("gshard", 1), ("switch", 2)])
def test_a_router_with_another_number_of_experts_per_token_is_refused(kind, top_k):
    with pytest.raises(InputError, match="top_k"):
        GlamConfig(name="x", shape=mixture(4, top_k), dispatch=Dispatch(kind=kind))


def configuration(**dispatch):
    return small_run(
        steps=4, checkpoint_every=2, z_loss_weight=0.001, dispatch=Dispatch(**dispatch)
    )


def test_a_run_logs_routing_by_layer_and_counts_its_padding(tmp_path):
    config = configuration(kind="gshard", capacity_factor=2.0, group_tokens=16)
    train(config, tmp_path / "run", peak_flop_per_s=1e12)
    for row in metrics_rows(tmp_path / "run"):
        for name in ("dropped", "second_expert_skipped", "router_entropy", "max_violation"):
            assert len(row[name]) == len(row["expert_load"]) == 1
        assert 0 < row["second_expert_skipped"][0] < 0.5
        assert 0 < row["router_entropy"][0] <= math.log(4) + 1e-6
        assert row["z_loss"] > 0
    record = RunRecord.load(tmp_path / "run" / "record.json")
    experts = next(part for part in record.parts if part.name == "experts")
    padding = record.executed_flop.value - record.model_flop.value
    # With a capacity factor of 2, half of the slots are padding.
    assert padding == pytest.approx(experts.model_flop.value)
    assert GlamConfig.from_dict(config.as_dict()) == config


def test_sampled_second_experts_are_the_same_in_every_run_of_a_seed(tmp_path):
    config = configuration(kind="gshard", group_tokens=16)
    skipped = []
    for name in ("first", "second"):
        train(config, tmp_path / name, peak_flop_per_s=1e12)
        rows = metrics_rows(tmp_path / name)
        skipped.append([(row["loss"], row["second_expert_skipped"][0]) for row in rows])
    assert skipped[0] == skipped[1]
    assert len({fraction for _, fraction in skipped[0]}) > 1

"""Capacity as GShard's algorithm 1 tells it, in a plain loop; and what a run logs of routing."""

import json
import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import gelu

from energy import RunRecord
from energy.errors import InputError
from glam.config import Corpus, Dispatch, GlamConfig, Training
from glam.moe.dispatch import capacity, expert_padding
from glam.moe.layer import MixtureOfExperts
from glam.training.run import train
from tests.support.small_models import CLOSE, mixture


def layer(n_experts: int, top_k: int, dispatch: Dispatch) -> MixtureOfExperts:
    torch.manual_seed(n_experts + top_k)
    made = MixtureOfExperts(mixture(n_experts, top_k), dispatch)
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return made


def algorithm_1(made, x, dispatch, chance):
    """GShard's algorithm 1 by counters: its output, and how many found no room."""
    tokens, n_experts = x.reshape(-1, x.shape[-1]), len(made.router.weight)
    top_k, full, rows = made.router.top_k, 0, []
    for start in range(0, len(tokens), dispatch.group_tokens):
        group = tokens[start : start + dispatch.group_tokens]
        room = math.ceil(dispatch.capacity_factor * top_k * dispatch.group_tokens / n_experts)
        count = [0] * n_experts
        gates = torch.softmax(group @ made.router.weight.T, -1)
        best, chosen = gates.topk(top_k, -1)
        best = best / best.sum(-1, keepdim=True) if top_k > 1 else best
        mixed = [torch.zeros(x.shape[-1]) for _ in group]
        for k in range(top_k):
            for s, token in enumerate(group):
                e, share = int(chosen[s, k]), best[s, k]
                if k == 1 and chance is not None and not 2 * share > chance[start + s]:
                    continue
                if count[e] < room:
                    count[e] += 1
                    hidden = gelu(made.experts.up[e] @ token)
                    mixed[s] = mixed[s] + share * (made.experts.down[e] @ hidden)
                else:
                    full += 1
        rows += mixed
    return torch.stack(rows).view(x.shape), full


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("n_experts", "top_k", "factor", "group"),
    [(4, 2, 1.0, 16), (8, 2, 0.5, 48), (8, 2, 2.0, 12), (4, 1, 1.0, 24), (16, 1, 0.6, 20)],
)
def test_output_gradients_and_drops_equal_gshards_algorithm(
    n_experts, top_k, factor, group, training
):
    kind = "gshard" if top_k == 2 else "switch"
    dispatch = Dispatch(kind=kind, capacity_factor=factor, group_tokens=group)
    made = layer(n_experts, top_k, dispatch)
    x = torch.randn(3, 16, 32, requires_grad=True)
    error = torch.randn(3, 16, 32)
    draw = torch.Generator().manual_seed(7) if training else None
    chance = torch.rand(48, generator=torch.Generator().manual_seed(7)) if training else None
    ours, routing = made(x, draw)
    theirs, full = algorithm_1(made, x, dispatch, chance)
    torch.testing.assert_close(ours, theirs, **CLOSE)
    assert routing.dropped.item() == pytest.approx(full / (48 * top_k))
    weights = [x, *made.parameters()]
    for one, other in zip(
        torch.autograd.grad(ours, weights, error),
        torch.autograd.grad(theirs, weights, error),
        strict=True,
    ):
        torch.testing.assert_close(one, other, **CLOSE)


def test_capacity_drops_when_short_and_the_reference_saw_drops():
    dispatch = Dispatch(kind="gshard", capacity_factor=0.5, group_tokens=48)
    made = layer(8, 2, dispatch)
    _, routing = made(torch.randn(3, 16, 32))
    assert routing.dropped > 0
    assert routing.left_out == 0


@pytest.mark.parametrize(("kind", "top_k"), [("gshard", 2), ("switch", 1)])
def test_with_room_for_all_and_no_chance_capacity_equals_dropless(kind, top_k):
    roomy = layer(8, top_k, Dispatch(kind=kind, capacity_factor=8.0, group_tokens=16))
    dropless = layer(8, top_k, Dispatch())
    x = torch.randn(3, 16, 32)
    torch.testing.assert_close(roomy(x)[0], dropless(x)[0], **CLOSE)


def test_a_second_expert_is_left_out_as_often_as_one_minus_twice_its_weight():
    made = layer(8, 2, Dispatch(kind="gshard", capacity_factor=8.0, group_tokens=4096))
    _, routing = made(torch.randn(1, 4096, 32), torch.Generator().manual_seed(1))
    expected = (1 - 2 * routing.weights[:, 1]).mean().item() / 2
    # Standard error of 4,096 draws, at most 0.5 / 64 / 2.
    assert routing.left_out.item() == pytest.approx(expected, abs=4 * 0.5 / 64 / 2)


def test_the_balancing_loss_of_groups_is_the_mean_of_each_groups_own():
    dispatch = Dispatch(kind="gshard", group_tokens=16)
    made = layer(4, 2, dispatch)
    x = torch.randn(3, 16, 32)
    each = [made(x[i : i + 1])[1].auxiliary_loss for i in range(3)]
    torch.testing.assert_close(made(x)[1].auxiliary_loss, torch.stack(each).mean(), **CLOSE)


def test_z_loss_and_entropy_are_those_of_the_routers_logits():
    made = layer(8, 2, Dispatch())
    x = torch.randn(2, 16, 32)
    logits = x.reshape(-1, 32) @ made.router.weight.T
    _, routing = made(x)
    torch.testing.assert_close(routing.z_loss, torch.logsumexp(logits, -1).square().mean())
    entropy = torch.distributions.Categorical(logits=logits).entropy().mean()
    torch.testing.assert_close(routing.entropy, entropy, **CLOSE)


def test_max_violation_is_none_when_even_and_all_but_one_when_collapsed():
    _, routing = layer(4, 2, Dispatch())(torch.randn(1, 16, 32))
    assert replace(routing, load=torch.full((4,), 0.25)).max_violation() == 0
    assert replace(routing, load=torch.tensor([0.0, 1, 0, 0])).max_violation() == 3


def test_padding_counts_the_slots_that_the_experts_multiply():
    assert capacity(1.25, 2, 1024, 64) == 40
    asked = Dispatch(kind="gshard", capacity_factor=1.25, group_tokens=1024)
    assert expert_padding(asked, 4096, 2, 64) == pytest.approx(1.25)
    assert expert_padding(Dispatch(), 4096, 2, 64) == 1


@pytest.mark.parametrize(("kind", "top_k"), [("gshard", 1), ("switch", 2)])
def test_a_routing_that_chooses_another_number_of_experts_is_refused(kind, top_k):
    with pytest.raises(InputError, match="top_k"):
        GlamConfig(name="x", shape=mixture(4, top_k), dispatch=Dispatch(kind=kind))


def asked(**dispatch):
    return GlamConfig(
        name="tiny",
        shape=mixture(4, 2),
        corpus=Corpus(max_mb=0.2),
        training=Training(
            steps=4,
            batch_sequences=2,
            log_every=1,
            evaluate_batches=1,
            threads=1,
            checkpoint_every=2,
            device="cpu",
            z_loss_weight=0.001,
        ),
        dispatch=Dispatch(**dispatch),
    )


def lines(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_a_run_logs_routing_by_layer_and_counts_its_padded_slots(tmp_path):
    config = asked(kind="gshard", capacity_factor=2.0, group_tokens=16)
    train(config, tmp_path / "run", peak_flop_per_s=1e12)
    for row in lines(tmp_path / "run"):
        for name in ("dropped", "left_out", "router_entropy", "max_violation"):
            assert len(row[name]) == len(row["expert_load"]) == 1
        assert 0 < row["left_out"][0] < 0.5
        assert 0 < row["router_entropy"][0] <= math.log(4) + 1e-6
        assert row["z_loss"] > 0
    record = RunRecord.load(tmp_path / "run" / "record.json")
    experts = next(part for part in record.parts if part.name == "experts")
    padded = record.executed_flop.value - record.model_flop.value
    # A factor of 2: as many slots again as assignments.
    assert padded == pytest.approx(experts.model_flop.value)
    assert GlamConfig.from_dict(config.as_dict()) == config


def test_the_draw_of_second_experts_is_the_same_in_every_run_of_a_seed(tmp_path):
    config = asked(kind="gshard", group_tokens=16)
    for name in ("one", "other"):
        train(config, tmp_path / name, peak_flop_per_s=1e12)
    one, other = (
        [(row["loss"], row["left_out"]) for row in lines(tmp_path / name)]
        for name in ("one", "other")
    )
    assert one == other
    assert len({left[0] for _, left in one}) > 1

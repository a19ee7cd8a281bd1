"""Closed-form FLOP and parameters equal what torch counts on the real model."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from energy.flops import forward_flop, model_flop
from energy.shape import Shape, parameters, total
from glam.model.decoder import Glam

BATCH = 3
DENSE = Shape(
    n_layers=4,
    d_model=48,
    n_heads=3,
    n_kv_heads=3,
    d_head=20,
    d_ff=112,
    ffn_matrices=3,
    vocab_size=320,
    seq_len=24,
    relative_buckets=32,
)


def moe(n_moe_layers: int, n_experts: int, top_k: int) -> Shape:
    return Shape.from_dict(
        {
            **DENSE.as_dict(),
            "n_moe_layers": n_moe_layers,
            "n_experts": n_experts,
            "top_k": top_k,
            "d_expert": 40,
        }
    )


SHAPES = {
    "dense": DENSE,
    "GPT": replace(DENSE, ffn_matrices=2, norm_vectors=2, relative_buckets=0, position_rows=30),
    "top-1 in every other layer": moe(2, 4, 1),
    "top-2 in every other layer": moe(2, 8, 2),
    "top-1 in every layer": moe(4, 8, 1),
    "top-2 in every layer": moe(4, 4, 2),
    "top-4 in every fourth layer": moe(1, 16, 4),
}


def grouped_flop(x, weight, *_, **__):
    """Return the FLOP of a grouped product, from the sizes of its tensors.

    2-d by 3-d (rows sorted into groups): each row is multiplied with one matrix. 2-d by 2-d (the
    gradient of the weights): the shared axis is divided into groups, so each entry counts once.
    """
    if len(weight) == 3:
        rows, inner, outer = *x, weight[-1]
        assert weight[-2] == inner
    else:
        rows, inner, outer = x[0], x[1], weight[1]
        assert weight[0] == inner
    return 2 * rows * inner * outer


@pytest.fixture(params=SHAPES.values(), ids=SHAPES)
def shape(request):
    return request.param


def counted(run) -> int:
    mapping = {torch.ops.aten._grouped_mm: grouped_flop}
    mapping = {op: formula for op, formula in mapping.items() if op not in flop_registry}
    with FlopCounterMode(display=False, custom_mapping=mapping) as counter:
        run()
    return counter.get_total_flops()


def tokens(shape: Shape) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(
        int(shape.vocab_size), (BATCH, int(shape.seq_len) + 1), generator=generator
    )


def test_forward_flop_equal_torchs_count(shape):
    model, batch = Glam(shape), tokens(shape)
    with torch.no_grad():
        flop = counted(lambda: model(batch))
    assert flop == total(forward_flop(shape)) * BATCH * shape.seq_len


def test_training_flop_equal_torchs_count(shape):
    model, batch = Glam(shape), tokens(shape)

    def step() -> None:
        output = model(batch)
        (output.loss + 0.01 * output.auxiliary_loss).backward()

    assert counted(step) == total(model_flop(shape)) * BATCH * shape.seq_len


def part_of(name: str) -> str:
    """Return the part of `energy.shape.parameters` that a weight belongs to."""
    if name in ("embedding", "positions"):
        return "embedding"
    if "norm" in name:
        return "norms"
    if "router" in name:
        return "router"
    if "experts" in name:
        return "experts"
    if ".ffn." in name:
        return "dense_ffn"
    return "relative_bias" if name.endswith("attention.bias") else "attention"


def test_parameters_of_every_part_equal_the_closed_form(shape):
    counts = Counter()
    for name, weight in Glam(shape).named_parameters():
        counts[part_of(name)] += weight.numel()
    assert dict(counts) == {part: count for part, count in parameters(shape).items() if count}

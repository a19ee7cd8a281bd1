"""Rows of what an answer takes: weights read for a few tokens, and the fixed time of a layer.

A pass of generation reads all its weights for the rows of a batch, again and again: they stay in
the caches, or they do not. And it starts many small operations, whose time no width changes; that
time is measured on a model so narrow that it has nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from typing import Any

import torch
from torch import Tensor

from energy.shape import Shape
from glam.generation.growing import Text, grow
from glam.model.decoder import Glam
from glam.probing.clock import Clock, Row

ROWS = (1, 4, 16, 64, 256)
"""Tokens of a pass: those of a batch, or of a prompt."""

MEGABYTES = (1, 4, 16, 64)
"""Weights of a pass, in float32 as generation computes."""

BATCHES = (1, 2, 4, 16)
"""A text alone takes a path of its own, without sorting by expert; two do not."""

PASSES = 20
"""Passes in a row whose mean counts."""

EXPERTS = 16


def weight_rows(clock: Clock, device: torch.device) -> Iterator[Row]:
    """Time products of a few rows with weights of so many bytes, read again and again."""
    for megabytes in MEGABYTES:
        weights = [torch.randn(1024, 256, device=device) for _ in range(megabytes)]
        for rows in ROWS:
            run = partial(_read, cycle(weights), torch.randn(rows, 256, device=device))
            seconds = clock.median_in_a_row(run, 2 * megabytes) * megabytes
            yield {
                "op": "read_weights",
                "m": rows,
                "bytes": megabytes * 2**20,
                "seconds": seconds,
            }


def _read(weights: Iterator[Tensor], x: Tensor) -> None:
    x @ next(weights).T


def layer_rows(clock: Clock, device: torch.device) -> Iterator[Row]:
    """Time passes of models of almost no width, with a token of each text of a batch."""
    for layers, mixtures in ((2, 0), (6, 0), (6, 6)):
        model = Glam(_narrow(layers, mixtures)).to(device).eval()
        for batch in BATCHES:
            seconds = clock.median_in_a_row(_pass(model, batch), PASSES)
            yield {
                "op": "answer_layers",
                "layers": layers,
                "mixtures": mixtures,
                "batch": batch,
                "seconds": seconds,
            }


def _narrow(layers: int, mixtures: int) -> Shape:
    """A model whose weights and FLOP take no time."""
    experts: dict[str, Any] = {}
    if mixtures:
        experts = {"n_moe_layers": mixtures, "n_experts": EXPERTS, "top_k": 2, "d_expert": 16}
    return Shape(
        n_layers=layers,
        d_model=16,
        n_heads=2,
        n_kv_heads=2,
        d_head=8,
        d_ff=64,
        ffn_matrices=3,
        vocab_size=64,
        seq_len=512,
        relative_buckets=32,
        **experts,
    )


class _Endless(Text):
    """A text that goes on with the likeliest token."""

    def has_ended(self) -> bool:
        return False


def _pass(model: Glam, batch: int) -> Callable[[], object]:
    """What gives a token to each text of a batch, as `glam generate` does."""
    passes = grow(model, [_Endless([row % 60] * 8) for row in range(batch)], batch)
    return lambda: next(passes)

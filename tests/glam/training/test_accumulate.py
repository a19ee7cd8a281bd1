"""A batch in parts trains as the whole batch does."""

import json
from dataclasses import replace

import pytest
import torch

from energy.errors import InputError
from energy.shape import Shape
from glam.checkpoints.checkpoint import checkpoints, load_checkpoint
from glam.config import Corpus, Dispatch, GlamConfig, Training
from glam.training.run import train

SHAPE = Shape(
    n_layers=2,
    d_model=32,
    n_heads=2,
    n_kv_heads=2,
    d_head=16,
    d_ff=64,
    ffn_matrices=3,
    vocab_size=512,
    seq_len=16,
    relative_buckets=32,
    n_moe_layers=1,
    n_experts=4,
    top_k=2,
    d_expert=24,
)


def run(out, **training):
    """A short run: its final weights and its lines of metrics.

    Without the balancing loss, which is no mean over tokens but a product of two of them.
    """
    asked = GlamConfig(
        name="tiny",
        shape=SHAPE,
        corpus=Corpus(max_mb=0.2),
        dispatch=Dispatch(),
        training=Training(
            steps=3,
            batch_sequences=4,
            log_every=1,
            evaluate_batches=1,
            threads=1,
            auxiliary_weight=0.0,
            device="cpu",
            **training,
        ),
    )
    train(asked, out, peak_flop_per_s=1e12)
    tensors = load_checkpoint(checkpoints(out / "checkpoints")[-1]).tensors
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return {name: value for name, value in tensors.items() if name.startswith("model.")}, rows


@pytest.mark.parametrize("accumulate", [2, 4])
def test_accumulated_gradients_train_as_the_large_batch_does(tmp_path, accumulate):
    recipe = {"optimizer": "adafactor", "learning_rate": 0.01}
    whole, rows = run(tmp_path / "whole", **recipe)
    parts, others = run(tmp_path / "parts", accumulate=accumulate, **recipe)
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-5, atol=1e-6, msg=name)
    for row, other in zip(rows, others, strict=True):
        assert other["tokens"] == row["tokens"]
        for name in ("loss", "expert_load", "router_entropy", "max_violation", "z_loss"):
            torch.testing.assert_close(
                torch.tensor(other[name]), torch.tensor(row[name]), rtol=1e-5, atol=1e-6
            )


def test_a_batch_that_does_not_divide_into_its_parts_is_refused():
    with pytest.raises(InputError, match="accumulate"):
        replace(Training(batch_sequences=8), accumulate=3)

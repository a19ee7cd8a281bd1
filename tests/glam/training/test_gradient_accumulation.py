"""Training on micro-batches gives the same model as training on whole batches."""

from dataclasses import replace

import pytest
import torch

from energy.errors import InputError
from glam.checkpoints.checkpoint import checkpoints, load_checkpoint
from glam.config import Training
from glam.training.run import train
from tests.support.small_models import metrics_rows, small_run


def final_weights(out, **training):
    """Train for a few steps and return the weights.

    Without the load-balancing loss, which is not a mean over tokens but a product of two means.
    """
    config = small_run(
        steps=3,
        batch_sequences=4,
        auxiliary_weight=0.0,
        optimizer="adafactor",
        learning_rate=0.01,
        **training,
    )
    train(config, out, peak_flop_per_s=1e12)
    tensors = load_checkpoint(checkpoints(out / "checkpoints")[-1]).tensors
    return {name: value for name, value in tensors.items() if name.startswith("model.")}


@pytest.mark.parametrize("gradient_accumulation", [2, 4])
def test_accumulated_gradients_train_as_whole_batches_do(tmp_path, gradient_accumulation):
    whole = final_weights(tmp_path / "whole")
    parts = final_weights(tmp_path / "parts", gradient_accumulation=gradient_accumulation)
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-5, atol=1e-6, msg=name)
    rows = zip(metrics_rows(tmp_path / "whole"), metrics_rows(tmp_path / "parts"), strict=True)
    for expected, row in rows:
        assert row["tokens"] == expected["tokens"]
        for name in ("loss", "expert_load", "router_entropy", "max_violation", "z_loss"):
            torch.testing.assert_close(
                torch.tensor(row[name]), torch.tensor(expected[name]), rtol=1e-5, atol=1e-6
            )


def test_a_batch_that_does_not_divide_into_micro_batches_is_refused():
    with pytest.raises(InputError, match="gradient_accumulation"):
        replace(Training(batch_sequences=8), gradient_accumulation=3)

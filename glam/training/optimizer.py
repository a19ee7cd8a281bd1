"""The optimizers, Adafactor as in GLaM and AdamW, and their learning-rate schedules.

Adafactor (arXiv:1804.04235) stores second moments as a row and a column instead of a matrix, has
no momentum, clips each update to root mean square 1, and scales it by the size of the weight. Its
learning rate is min(rate, 1/sqrt(t)): with rate 0.01 this is the schedule of GLaM, constant for
10,000 steps and then proportional to 1/sqrt(t).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from energy.errors import InputError
from glam.adafactor import Adafactor, Shards
from glam.config import Training
from glam.distributed.processes import Weights
from glam.model.decoder import Output
from glam.model.initialization import UNDECAYED
from glam.uncompiled import AdamW, TorchAdafactor

ADAM_BETAS = (0.9, 0.95)


FINAL_RATIO = 0.1
"""Learning rate of AdamW at the end of the cosine schedule, relative to its peak."""


def build_optimizer(
    model: Weights, training: Training, shards: Mapping[nn.Parameter, Shards] | None = None
) -> torch.optim.Optimizer:
    """Build the optimizer of a recipe for all parameters of a model.

    Norms and position biases get no weight decay.

    Args:
        model: the model, or the parts of its weights that this process has.
        training: training recipe.
        shards: how those weights are divided that are.

    Raises:
        InputError: torch's form of Adafactor, which reads whole weights, would get parts.
    """
    if training.optimizer == "adafactor" and training.adafactor_form == "gshard":
        return Adafactor(
            model.parameters(), training.learning_rate, training.second_moment_decay, shards
        )
    if training.optimizer == "adafactor" and shards:
        raise InputError(
            "expected an optimizer for weights that are divided among processes",
            "adafactor in torch's form",
            "add --optimizer adamw, or leave --shard and --expert-parallel away",
        )
    if training.optimizer == "adafactor":
        return TorchAdafactor(
            list(model.parameters()),
            lr=training.learning_rate,
            beta2_decay=-0.8,
            d=1.0,
            weight_decay=0.0,
        )
    undecayed = [p for name, p in model.named_parameters() if name.endswith(UNDECAYED)]
    decayed = [p for name, p in model.named_parameters() if not name.endswith(UNDECAYED)]
    groups = [
        {"params": decayed, "weight_decay": training.weight_decay},
        {"params": undecayed, "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=training.learning_rate, betas=ADAM_BETAS, fused=True)


def objective(output: Output, training: Training) -> Tensor:
    """Return what training minimizes: the loss, and the weighted losses of the routers.

    A loss of 4 with 0.01 times a balancing loss of 1.2 and no z-loss is 4.012.
    """
    auxiliary = training.auxiliary_weight * output.auxiliary_loss
    return output.loss + auxiliary + training.z_loss_weight * output.z_loss


def learning_rate(training: Training, step: int) -> float:
    """Return the learning rate of a step; steps count from 1.

    AdamW: linear warm-up, then a cosine decay to a tenth. Adafactor: the lower of the rate and
    1/sqrt(steps before this one), as Praxis counts (`schedules.SqrtDecay`); in torch's form
    constant, as that optimizer itself applies 1/sqrt(t). AdamW with rate 1 and 10 of 110 steps of
    warm-up: 0.5 at step 5, 0.55 at step 60. Adafactor with rate 0.01: 0.005 at step 40,001.
    """
    if training.optimizer == "adafactor":
        if training.adafactor_form == "torch":
            return training.learning_rate
        return min(training.learning_rate, 1 / math.sqrt(max(1, step - 1)))
    if step < training.warmup_steps:
        return training.learning_rate * step / training.warmup_steps
    span = max(1, training.steps - training.warmup_steps)
    progress = min(1.0, (step - training.warmup_steps) / span)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return training.learning_rate * (FINAL_RATIO + (1 - FINAL_RATIO) * cosine)


def gradient_norm(model: Weights) -> Tensor:
    """Return the norm of all gradients together, a scalar."""
    norm: Tensor = nn.utils.get_total_norm(
        [p.grad for p in model.parameters() if p.grad is not None]
    )
    return norm


def update(
    model: Weights,
    optimizer: torch.optim.Optimizer,
    training: Training,
    step: int,
    loss: Tensor | None = None,
    norm: Tensor | None = None,
) -> Tensor:
    """Apply one update, or skip it if the loss or a gradient is not finite, as GLaM did.

    On a GPU nothing waits for it: the optimizers skip it there. Only torch's Adafactor cannot.

    Args:
        model: the model, with its gradients.
        optimizer: its optimizer.
        training: training recipe.
        step: number of the step, from 1.
        loss: training loss of the step; None if it need not be checked.
        norm: of all gradients, where several processes have parts of them; else it is computed.

    Returns:
        Whether the update was applied, a scalar on the device. Gradients are cleared either way.
    """
    if norm is None:
        norm = gradient_norm(model)
    finite = torch.isfinite(norm)
    if loss is not None:
        finite = finite & torch.isfinite(loss)
    if norm.device.type != "cpu" and not isinstance(optimizer, torch.optim.Adafactor):
        optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        applied = True
    else:
        applied = bool(finite)
    if applied:
        if training.optimizer == "adamw":
            # Gradient clipping: the fused update divides by this as it reads the gradients, which
            # saves a pass over them.
            optimizer.grad_scale = (norm / training.clip_norm).clamp(min=1.0)  # type: ignore[attr-defined]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(training, step)
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return finite

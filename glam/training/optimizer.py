"""The optimizers: Adafactor as in the paper, and AdamW.

Adafactor (arXiv:1804.04235) keeps a row and a column of second moments in the place of a matrix,
no momentum, clips each update to root mean square 1, and scales it by the size of the weight. Its
second-moment decay is 1 - t^-0.8 and its learning rate min(rate, 1/sqrt(t)): with rate 0.01 the
schedule of GLaM, constant for 10,000 steps and falling as 1/sqrt(t) from there.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from glam.config import Training
from glam.model.decoder import STILL

ADAM_BETAS = (0.9, 0.95)


FINAL_RATE = 0.1
"""Share of the AdamW learning rate that is left at the last step of the cosine."""


def build_optimizer(model: nn.Module, training: Training) -> torch.optim.Optimizer:
    """The optimizer of a recipe over all parameters of a model.

    Norms and position biases are never decayed.
    """
    if training.optimizer == "adafactor":
        return torch.optim.Adafactor(
            list(model.parameters()),
            lr=training.learning_rate,
            beta2_decay=-0.8,
            d=1.0,
            weight_decay=0.0,
        )
    still = [p for name, p in model.named_parameters() if name.endswith(STILL)]
    decayed = [p for name, p in model.named_parameters() if not name.endswith(STILL)]
    groups = [
        {"params": decayed, "weight_decay": training.weight_decay},
        {"params": still, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=training.learning_rate, betas=ADAM_BETAS, fused=True)


def learning_rate(training: Training, step: int) -> float:
    """The rate that is set before a step (steps count from 1).

    AdamW: linear warm-up, then a cosine to a tenth. Adafactor: constant, as its 1/sqrt(t) is its
    own. AdamW, rate 1, 10 of 110 steps warm-up: step 5 gives 0.5, step 60 gives 0.55.
    """
    if training.optimizer == "adafactor":
        return training.learning_rate
    if step < training.warmup_steps:
        return training.learning_rate * step / training.warmup_steps
    span = max(1, training.steps - training.warmup_steps)
    progress = min(1.0, (step - training.warmup_steps) / span)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return training.learning_rate * (FINAL_RATE + (1 - FINAL_RATE) * cosine)


def update(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    training: Training,
    step: int,
    loss: Tensor | None = None,
) -> bool:
    """Apply one update, or skip it when loss or a gradient holds NaN or infinity, as GLaM did.

    Returns:
        Whether the update was applied. Gradients are cleared either way.
    """
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm: Tensor = nn.utils.get_total_norm(gradients)
    sound = bool(torch.isfinite(norm)) and (loss is None or bool(torch.isfinite(loss)))
    if sound:
        if training.optimizer == "adamw":
            # The fused update divides gradients by this as it reads them: no pass of its own.
            optimizer.grad_scale = (norm / training.clip_norm).clamp(min=1.0)  # type: ignore[attr-defined]
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(training, step)
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return sound

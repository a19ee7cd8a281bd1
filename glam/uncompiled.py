"""Optimizers that torch's compiler never compiles, so that it is not loaded either.

torch 2.13 imports its compiler to keep it away from some methods of an optimizer: 1.5 of the 1.7
processor seconds before the first step of a small model, in which nothing is compiled.
"""

from __future__ import annotations

import inspect

import torch
from torch.optim import Optimizer


class Uncompiled(Optimizer):
    """Mixin with these methods as they are written."""

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)


class AdamW(Uncompiled, torch.optim.AdamW):
    """That of torch, whose steps are not differentiated."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


class TorchAdafactor(Uncompiled, torch.optim.Adafactor):
    """That of torch, which is not GLaM's (`glam.adafactor`)."""

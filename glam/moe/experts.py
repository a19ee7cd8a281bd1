"""The experts: plain feed-forward networks, each applied to its own rows.

Legend: M model width, E experts, H hidden width of an expert.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import grouped_mm, pad

from energy.shape import Shape
from glam.activations import ACTIVATIONS
from glam.architecture import Activation
from glam.moe.expert_threads import ThreadedExperts, threads_pay_off
from glam.precision import copy_in_format, in_format

ROW_BYTES = 16
"""Rows of a grouped matrix product must start at multiples of this many bytes."""


class Experts(nn.Module):
    """E plain networks: up-projection M -> H, activation, down-projection H -> M.

    Weights are stored as (E, out, in), the layout in which grouped products are fast on CPUs.
    """

    def __init__(self, shape: Shape, activation: Activation) -> None:
        super().__init__()
        self.activation, self.activate = activation, ACTIVATIONS[activation]
        n_experts, width, hidden = int(shape.n_experts), int(shape.d_model), int(shape.d_expert)
        self.up = nn.Parameter(torch.empty(n_experts, hidden, width))
        self.down = nn.Parameter(torch.empty(n_experts, width, hidden))

    def weights(self) -> tuple[Tensor, Tensor]:
        """Return the projections up (E, H, M) and down (E, M, H)."""
        return self.up, self.down

    def forward(self, x: Tensor, ends: Tensor) -> Tensor:
        """Apply each expert to its rows of x (rows, M); those of expert e end at `ends[e]`."""
        up, down = self.weights()
        if threads_pay_off(x, up):
            rows: Tensor = ThreadedExperts.apply(x, up, down, ends.tolist(), self.activation)
            return rows
        up, down = in_format(up, x.dtype), in_format(down, x.dtype)
        # A width valid in float32 may not be in bfloat16; hidden units of zero weight are harmless.
        missing = -up.shape[1] % (ROW_BYTES // up.element_size())
        if missing:
            up, down = pad(up, (0, 0, 0, missing)), pad(down, (0, missing))
        hidden = self.activate(grouped_mm(x, up.transpose(1, 2), offs=ends))
        return grouped_mm(hidden, down.transpose(1, 2), offs=ends)

    def of_token(self, x: Tensor, experts: list[int], weights: Tensor) -> Tensor:
        """Return the weighted sum (1, M) of some experts for a token x (1, M)."""
        up, down = (copy_in_format(w.detach(), x.dtype, of=w) for w in (self.up, self.down))
        outputs = [self.activate(x @ up[e].T) @ down[e].T for e in experts]
        return weights.to(x.dtype).unsqueeze(0) @ torch.cat(outputs)

    def forward_slots(self, x: Tensor) -> Tensor:
        """Apply each expert to the same number of rows, x (E, rows, M).

        Weights are the left factor, so that their gradients come out in their own layout; as the
        right factor, the gradients were made transposed and then copied, which took a quarter of
        the layer's time.
        """
        up, down = (in_format(weight, x.dtype) for weight in self.weights())
        hidden = self.activate(torch.bmm(up, x.transpose(1, 2)))  # (E, H, rows)
        return torch.bmm(down, hidden).transpose(1, 2)

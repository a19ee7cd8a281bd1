"""The experts: plain networks, each on the rows that are its own.

Legend: M width, E experts, H width of an expert.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, grouped_mm, pad

from energy.shape import Shape
from glam.moe.expert_threads import ExpertByExpert, worthwhile

ROW_BYTES = 16
"""Rows of a grouped product begin at multiples of so many bytes."""


class Experts(nn.Module):
    """E plain networks: in -> H, GELU, H -> out.

    Weights lie as (E, out, in), the layout in which grouped products are fast on CPUs.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        n_experts, width, hidden = int(shape.n_experts), int(shape.d_model), int(shape.d_expert)
        self.up = nn.Parameter(torch.empty(n_experts, hidden, width))
        self.down = nn.Parameter(torch.empty(n_experts, width, hidden))

    def forward(self, x: Tensor, ends: Tensor) -> Tensor:
        """Apply each expert to its rows of x (rows, M); expert e owns rows up to `ends[e]`."""
        if worthwhile(x, self.up):
            rows: Tensor = ExpertByExpert.apply(x, self.up, self.down, ends.tolist())
            return rows
        up, down = self.up.to(x.dtype), self.down.to(x.dtype)
        # A width that fits in float32 may not in bfloat16. Units of zero weight change nothing.
        missing = -up.shape[1] % (ROW_BYTES // up.element_size())
        if missing:
            up, down = pad(up, (0, 0, 0, missing)), pad(down, (0, missing))
        hidden = gelu(grouped_mm(x, up.transpose(1, 2), offs=ends))
        return grouped_mm(hidden, down.transpose(1, 2), offs=ends)

    def padded(self, x: Tensor) -> Tensor:
        """Apply each expert to as many rows as any other, x (E, rows, M); 0 stays 0.

        Weights stand on the left, so that their gradients come out in their own layout; on the
        right they are made transposed and copied, which took a quarter of the layer's time.
        """
        hidden = gelu(torch.bmm(self.up.to(x.dtype), x.transpose(1, 2)))  # (E, H, rows)
        return torch.bmm(self.down.to(x.dtype), hidden).transpose(1, 2)

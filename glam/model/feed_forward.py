"""Dense feed-forward networks: gated as in GLaM, plain as in GPT."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import gelu


class GatedFeedForward(nn.Module):
    """GEGLU (arXiv:2002.05202): GELU(x W) * (x V), then the down-projection; three matrices."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position of x (..., M)."""
        out: Tensor = self.down(gelu(self.gate(x)) * self.up(x))
        return out


class FeedForward(nn.Module):
    """GELU(x W), then the down-projection; two matrices."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position of x (..., M)."""
        out: Tensor = self.down(gelu(self.up(x)))
        return out

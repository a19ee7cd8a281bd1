"""Dense feed-forward networks: gated as in GLaM, plain as in GPT."""

from __future__ import annotations

from torch import Tensor, nn

from glam.activations import ACTIVATIONS, GATED
from glam.architecture import Activation
from glam.precision import linear


class GatedFeedForward(nn.Module):
    """GEGLU (arXiv:2002.05202): GELU(x W) * (x V), then the down-projection; three matrices."""

    def __init__(self, width: int, hidden: int, activation: Activation) -> None:
        super().__init__()
        self.gated = GATED[activation]
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position of x (..., M)."""
        hidden = self.gated(linear(x, self.gate.weight), linear(x, self.up.weight))
        return linear(hidden, self.down.weight)


class FeedForward(nn.Module):
    """GELU(x W), then the down-projection; two matrices."""

    def __init__(self, width: int, hidden: int, activation: Activation) -> None:
        super().__init__()
        self.activate = ACTIVATIONS[activation]
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position of x (..., M)."""
        return linear(self.activate(linear(x, self.up.weight)), self.down.weight)

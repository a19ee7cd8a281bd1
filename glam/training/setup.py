"""What a run needs before its first step and does not change afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from energy.flops import model_flop
from energy.shape import total
from glam.config import GlamConfig
from glam.data.corpus import TokenCorpus
from glam.moe.capacity import expert_padding
from glam.training.stop import EarlierAttempts


@dataclass(frozen=True)
class Setup:
    """The fixed parts of a run, and the work of one of its steps.

    Attributes:
        config: configuration of the run.
        out: folder of the run.
        device: device of the model.
        corpus: tokens to train on.
        peak_flop_per_s: FLOP/s of the device that MFU and HFU refer to.
        earlier: what earlier attempts of the run have spent.
    """

    config: GlamConfig
    out: Path
    device: torch.device
    corpus: TokenCorpus
    peak_flop_per_s: float
    earlier: EarlierAttempts

    @cached_property
    def tokens_per_step(self) -> int:
        """Tokens of the global batch."""
        return self.config.tokens_per_step

    @cached_property
    def model_flop_per_token(self) -> float:
        """Model FLOP of training per token."""
        return float(total(model_flop(self.config.shape)))

    def executed_flop_per_token(self, padding: float) -> float:
        """Executed FLOP of training per token: model FLOP plus the padding of the experts.

        Nothing is recomputed, and tokens reach their experts by copies, without a product.

        Args:
            padding: rows that the experts compute over those that model FLOP count.
        """
        experts = float(model_flop(self.config.shape)["experts"])
        return self.model_flop_per_token + (padding - 1) * experts

    @cached_property
    def capacity_padding(self) -> float:
        """Padding by the capacity of experts alone; 1 without experts or a capacity."""
        shape = self.config.shape
        if not shape.n_moe_layers:
            return 1.0
        return expert_padding(
            self.config.dispatch,
            self.config.tokens_per_micro_batch,
            int(shape.top_k),
            int(shape.n_experts),
        )

"""How a step stores its numbers: weights, gradients, the optimizer's moments, activations."""

from __future__ import annotations

from dataclasses import dataclass

from energy.shape import Number
from energy.shapes.stack import either
from simulator.physics.checks import Choice, require_word

MOMENT_BYTES = {"adafactor": 0, "adamw": 8, "adamw-bf16": 4, "adamw-8bit": 2, "muon": 4}
"""Bytes of a parameter's moments by optimizer; those of Adafactor are a row and a column."""


@dataclass(frozen=True, kw_only=True)
class Formats:
    """How numbers are stored; it follows from the software and the precision of training.

    Attributes:
        optimizer: "adafactor", "adamw", "adamw-bf16", "adamw-8bit" (moments), or "muon".
        weight_bytes: bytes per stored weight.
        gradient_bytes: bytes per stored gradient.
        gradient_message_bytes: bytes per gradient that is sent; 0 means as it is stored.
        bucket_bytes: bytes per parameter of flat communication buffers beside stored gradients.
        activation_bytes: bytes per activation, and per weight as it is multiplied.
        product_bytes: bytes per value in the products of linear layers; below `activation_bytes`,
            values are made narrow first.
    """

    optimizer: Choice = "adafactor"
    weight_bytes: Number = 4
    gradient_bytes: Number = 4
    gradient_message_bytes: Number = 0
    bucket_bytes: Number = 0
    activation_bytes: Number = 4
    product_bytes: Number = 4

    def __post_init__(self) -> None:
        require_word(self, "optimizer", tuple(MOMENT_BYTES))

    @property
    def sent_gradient_bytes(self) -> Number:
        """Bytes per gradient in a message."""
        return either(self.gradient_message_bytes, self.gradient_bytes)

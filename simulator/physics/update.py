"""The loss of a step and the update of its weights, as operations of one chip.

Legend as in `simulator.physics.compute`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from energy.shape import Number, Shape, plain
from simulator.physics.formats import Formats
from simulator.physics.operations import Operation, elementwise, linear
from simulator.physics.plan import Plan

Optimizer = Literal["adafactor", "adamw"]

OPTIMIZERS: dict[str, tuple[Optimizer, int, int]] = {
    "adafactor": ("adafactor", 48, 25),
    "adamw": ("adamw", 32, 2),
    "adamw-bf16": ("adamw", 24, 2),
    "adamw-8bit": ("adamw", 20, 2),
    "muon": ("adamw", 24, 2),
}
"""Kind, bytes moved per float32 parameter, and calls per tensor, of one step. AdamW, fused: reads
w, g, m, v; writes w, m, v. Adafactor (arXiv:1804.04235): w, gradient, update 11 times."""


def loss(shape: Shape, plan: Plan) -> list[Operation]:
    """Logits and cross-entropy, in chunks of tokens: three products and 8 passes over T*V.

    The gradients are computed together with the loss, so nothing is recomputed; the weight's
    gradient is summed once per chunk (3 passes of V*M), unless the weight is frozen.
    """
    s = shape
    tokens = np.asarray(plan.sequences) * s.seq_len / plan.cp
    rows = np.minimum(plan.loss_chunk, tokens)
    chunks, vocab = tokens / rows, plain(np.asarray(s.vocab_size) / plan.tp)
    return [
        *linear((plain(rows), vocab, s.d_model), plan, 0, count=plain(chunks), wide=True),
        cross_entropy(plain(rows), vocab, s.d_model, plan, count=plain(chunks)),
    ]


def cross_entropy(
    rows: Number, vocab: Number, width: Number, plan: Plan, count: Number = 1
) -> Operation:
    """Softmax and its gradient of one chunk, and the sum of the weight's gradient."""
    passes = 3.0 + 5.0 * np.asarray(plan.input_gradients)
    summed = 3.0 * np.asarray(plan.weight_gradients)
    values = passes * rows * vocab + summed * np.asarray(vocab) * width
    return elementwise(plain(values), 1, plan, calls=12, count=count, kind="loss")


def optimizer(parameters: Number, formats: Formats, tensors: Number) -> list[Operation]:
    """The norm of all gradients and the update of the parameters whose state a chip stores.

    138M parameters, AdamW: 138e6 * 32 = 4.4 GB.

    >>> from energy.units import si
    >>> operations = optimizer(138e6, Plan(optimizer="adamw"), 1)
    >>> si(sum(each.bytes * each.count for each in operations), "B")
    '4.42 GB'
    """
    chosen = np.asarray(formats.optimizer)
    return [
        Operation(
            kind=kind,
            count=plain(np.where(chosen == name, 1, 0)),
            bytes=plain(np.asarray(parameters, float) * size),
            calls=plain(np.asarray(tensors) * calls),
        )
        for name, (kind, size, calls) in OPTIMIZERS.items()
    ]

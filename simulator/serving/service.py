"""One way to serve a model: on which chips, split how, at which batch and lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from energy.errors import MissingDataError, require_choice
from energy.facts.catalog import Chip
from energy.shape import Number
from simulator.serving.model import ServedModel

WEIGHT_BYTES = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.53125, "int4": 0.53125}
"""Bytes of a weight; 4-bit formats have a scale of 8 bits for each 32 values (OCP MX, 2023)."""

CACHE_BYTES = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0}

STATE_BYTES = 4.0
"""Bytes of a value of a recurrent state, which stays in 32 bits."""

HEAD_BYTES = 2.0
"""Bytes of a weight of the output matrix, which stays in 16 bits."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """What a chip can do, as serving needs it; numbers may be arrays.

    Attributes:
        memory_bytes: of its own memory.
        bytes_per_s: bandwidth of that memory.
        peak_16bit: FLOP per second of 16-bit products.
        peak_8bit: likewise of 8-bit ones; those of 16 where there are none.
        link_bytes_per_s: of its links, one direction; 0 where there are none.
        domain: chips that these links join.
        network_bytes_per_s: beyond them.
        design_w: design power; not a number where neither it nor a maximum is known.
    """

    memory_bytes: Number
    bytes_per_s: Number
    peak_16bit: Number
    peak_8bit: Number
    link_bytes_per_s: Number
    domain: Number
    network_bytes_per_s: Number
    design_w: Number

    @classmethod
    def of(cls, chip: Chip) -> Self:
        """A chip of the catalog.

        Raises:
            MissingDataError: its memory or its peak is not known.
        """
        if chip.memory_bytes is None or chip.memory_bytes_per_s is None:
            raise MissingDataError(
                f"expected size and bandwidth of the memory of {chip.id}",
                "unknown",
                "choose another chip of simulator chips",
            )
        wide = chip.peak_flop_per_s("bf16")
        design = chip.tdp_w if chip.tdp_w is not None else chip.max_w
        return cls(
            memory_bytes=chip.memory_bytes,
            bytes_per_s=chip.memory_bytes_per_s,
            peak_16bit=wide,
            peak_8bit=chip.peak_fp8_flop_per_s or chip.peak_int8_op_per_s or wide,
            link_bytes_per_s=chip.link_bytes_per_s or chip.network_bytes_per_s or 0.0,
            domain=chip.link_domain_chips or 1,
            network_bytes_per_s=chip.network_bytes_per_s or 0.0,
            design_w=np.nan if design is None else design,
        )


@dataclass(frozen=True, kw_only=True)
class Service:
    """A model, chips, a plan and a load; numbers may be arrays, one place each.

    Attributes:
        model: what is served.
        board: one chip.
        chips: of all replicas together.
        dp: replicas of the attention, each with its own sequences.
        ep: chips over which experts are spread whole; each is sliced over the rest.
        batch: sequences in flight, of all replicas.
        prompt: tokens of a prompt.
        answer: tokens of an answer.
        weight_bytes: of a weight of a dense layer or of attention.
        expert_bytes: of a weight of an expert.
        narrow: 1 where products have 8-bit operands, else 0.
        cache_bytes: of a value of the cache.
        spread: of the popularity of experts; None is that of the constants.
        draft: tokens that are proposed at a time and checked in one step; 0 for none.
        acceptance: probability that such a token is right.
    """

    model: ServedModel
    board: Board
    chips: Number
    dp: Number
    ep: Number
    batch: Number
    prompt: Number
    answer: Number
    weight_bytes: Number
    expert_bytes: Number
    narrow: Number
    cache_bytes: Number = 2.0
    spread: Number | None = None
    draft: Number = 0
    acceptance: Number = 0.0

    @property
    def sliced(self) -> Any:
        """Chips of one replica of the attention: its tensor parallel degree."""
        return np.asarray(self.chips, float) / self.dp

    @property
    def sequences(self) -> Any:
        """Sequences of one replica."""
        return np.asarray(self.batch, float) / self.dp

    @property
    def tokens_a_step(self) -> Any:
        """Tokens of a sequence that a step yields: 1, or those that speculation adds.

        (1 - a^(d + 1)) / (1 - a) for d proposals that are right with probability a (Leviathan et
        al., arXiv:2211.17192, equation 1): 1.85 for one at 0.85.
        """
        a, d = np.minimum(np.asarray(self.acceptance, float), 1 - 1e-9), np.asarray(self.draft)
        return (1 - a ** (d + 1)) / (1 - a)


def formats(precision: str, *, is_mixture: bool) -> dict[str, float]:
    """Bytes of weights and the width of products at a precision.

    4 bits are those of the experts of a mixture alone, as in gpt-oss, and of all layers of a dense
    model; products expand them to 16 bits. 8 bits are those of all layers.

    Raises:
        InputError: the precision is unknown.
    """
    require_choice("--precision", precision, tuple(WEIGHT_BYTES))
    width = WEIGHT_BYTES[precision]
    is_narrow = precision in ("fp8", "int8")
    rest = 2.0 if width < 1 and is_mixture else width
    return {"weight_bytes": rest, "expert_bytes": width, "narrow": float(is_narrow)}


@dataclass(frozen=True)
class Room:
    """What fits in memory beside the weights; numbers may be arrays.

    Attributes:
        weight_bytes: of one chip.
        sequence_bytes: of cache and state of one sequence in flight, on one chip.
        free_bytes: of one chip for all sequences.
        largest_batch: sequences of all replicas together.
    """

    weight_bytes: Any
    sequence_bytes: Any
    free_bytes: Any
    largest_batch: Any


RESERVED = 0.1
"""Share of the memory for activations, graphs and the allocator: vLLM's gpu_memory_utilization is
0.9 unless set otherwise."""


def room(service: Service) -> Room:
    """Memory of one chip: weights, and how many caches fit beside them.

    A paged cache grows with its sequence, so a sequence in flight has its prompt and half of its
    answer; a server that admits more takes some out again and computes them anew later.
    Llama 3 70B, 16 bit, 4 H100: 35.3 GB of 72 for weights. A token takes 2 * 8 * 128 * 80 * 2 B / 4
    = 82 kB of a chip: 450 sequences of 1,000 tokens fit.
    """
    s, m = service, service.model
    rest = np.asarray(m.all_weights, float) - m.expert_total - m.head
    weights = (rest * s.weight_bytes + m.head * HEAD_BYTES) / s.sliced
    weights = weights + np.asarray(m.expert_total) * s.expert_bytes / s.chips
    length = np.asarray(s.prompt, float) + np.asarray(s.answer, float) / 2
    kept = m.cache_full * length + m.cache_window * np.minimum(length, m.window)
    sequence = kept * s.cache_bytes / np.minimum(s.sliced, m.cache_heads)
    sequence = sequence + m.state * STATE_BYTES / s.sliced
    free = np.maximum(np.asarray(s.board.memory_bytes) * (1 - RESERVED) - weights, 0)
    most = np.floor(free / np.maximum(sequence, 1e-9)) * s.dp
    return Room(weights, sequence, free, most)

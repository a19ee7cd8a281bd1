"""What no server passes: bytes that must be read, products that must be done, the design power.

A band comes from the errors of other models, which know nothing of this one. Where its quick end
would read weights faster than the memory can, or its high end draw more than the chip is designed
for, the band ends there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.serving.service import HEAD_BYTES, Service

Relative = tuple[Any, Any]
"""Ends of a band as relative deviations: (-0.3, 0.4) is -30 to +40 %."""


def least_token_s(service: Service) -> Any:
    """The least seconds between two tokens of a sequence: a step without a prompt.

    All dense weights, the chosen experts of one token and the caches of the prompts at the full
    bandwidth, or all products at the peak, whichever takes longer. Llama 3 70B on 2 H100, 16 bit, a
    batch of 1: (70.6e9 - 1.05e9 of the embedding) x 2 B / 2 / 3.35 TB/s = 20.8 ms.
    """
    s = service
    rows = s.sequences * (1 + np.asarray(s.draft, float))
    read = _weights(s) + _caches(s)
    return _longer(s, read, _flop(s) * rows) / s.tokens_a_step


def least_mean_s(service: Service) -> Any:
    """The least seconds of a token in the mean step, with the products of prompts that join."""
    s = service
    rows = s.sequences * (1 + np.asarray(s.draft, float))
    joining = s.sequences * s.tokens_a_step / s.answer * np.asarray(s.prompt, float)
    read = _weights(s) + _caches(s)
    return _longer(s, read, _flop(s) * (rows + joining)) / s.tokens_a_step


def least_first_s(service: Service) -> Any:
    """The least seconds from a prompt to its first token: its products, or one reading."""
    s = service
    return _longer(s, _weights(s), _flop(s) * np.asarray(s.prompt, float))


def not_below(relative: Relative, value: Any, least: Any) -> Relative:
    """A band whose low end is not below `least`."""
    low, high = relative
    return np.maximum(low, np.minimum(np.asarray(least) / value - 1, 0)), high


def not_above(relative: Relative, value: Any, most: Any) -> Relative:
    """A band whose high end is not above `most`."""
    low, high = relative
    return low, np.minimum(high, np.maximum(np.asarray(most) / value - 1, 0))


def _weights(s: Service) -> Any:
    """Bytes of weights that a chip must read in a step; without a draft's own."""
    m = s.model
    dense = np.asarray(m.attention, float) + m.recurrence + m.dense
    read = (dense * s.weight_bytes + m.head * HEAD_BYTES) / s.sliced
    return read + np.asarray(m.expert) * m.chosen * s.expert_bytes / s.chips


def _caches(s: Service) -> Any:
    """Bytes of the caches that a chip must read in a step: those of the prompts."""
    m, prompt = s.model, np.asarray(s.prompt, float)
    kept = m.cache_full * prompt + m.cache_window * np.minimum(prompt, m.window)
    return kept * s.cache_bytes * s.sequences / np.minimum(s.sliced, m.cache_heads)


def _flop(s: Service) -> Any:
    """FLOP of a chip for a row of its replica, without attention scores and the output matrix."""
    m = s.model
    dense = np.asarray(m.attention, float) + m.recurrence + m.dense
    return 2 * (dense / s.sliced + np.asarray(m.expert) * m.chosen * s.dp / s.chips)


def _longer(s: Service, read: Any, flop: Any) -> Any:
    board = s.board
    peak = np.where(np.asarray(s.narrow) > 0, board.peak_8bit, board.peak_16bit)
    return np.maximum(read / np.asarray(board.bytes_per_s, float), flop / peak)

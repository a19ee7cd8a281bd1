"""Capacity of experts: tokens of a dispatch group, and slots of an expert in it.

Legend: T tokens, E experts, K experts per token, G tokens per group.
"""

from __future__ import annotations

import math
from fractions import Fraction

from glam.config import Dispatch

SLOT_MULTIPLE = 4
"""Praxis rounds slots up to a multiple of four."""


def group_tokens(dispatch: Dispatch, tokens: int) -> int:
    """Return G, the tokens of a dispatch group of so many tokens; all of them with dropless."""
    if dispatch.kind == "dropless":
        return tokens
    if dispatch.groups:
        return math.ceil(tokens / dispatch.groups)
    return min(dispatch.group_tokens, tokens)


def slots_per_expert(dispatch: Dispatch, group: int, top_k: int, n_experts: int) -> int:
    """Return the slots of an expert in a group of G tokens, with limited capacity."""
    if dispatch.kind == "glam":
        return glam_capacity(dispatch.unadjusted_capacity_factor, group, n_experts)
    return expert_capacity(dispatch.capacity_factor, top_k, group, n_experts)


def expert_capacity(factor: float, top_k: int, group: int, n_experts: int) -> int:
    """Return the slots of an expert in a group: C = ceil(factor * K * G / E).

    1.25 * 2 * 1,024 / 64 = 40. Exact in the factor's decimal digits: 1.1 * 2 * 800 / 16 is 110,
    where floats say 110.00000000000001 and would round up to 111.
    """
    return math.ceil(Fraction(str(factor)) * top_k * group / n_experts)


def glam_capacity(factor: float, group: int, n_experts: int) -> int:
    """Return the slots of an expert in a group as Praxis 1.4.0 has them, from slots per token.

    factor * G / E without its fraction, then up to the next multiple of four; at least one. The
    factor is K times that of `expert_capacity`: 2 * 1,024 / 64 = 32, and 2.5 * 1,024 / 64 = 40.
    """
    slots = int(group * factor / n_experts)
    return math.ceil(slots / SLOT_MULTIPLE) * SLOT_MULTIPLE if slots > 1 else 1


def expert_padding(dispatch: Dispatch, tokens: int, top_k: int, n_experts: int) -> float:
    """Return the rows that the experts compute over the T*K that model FLOP count.

    Dropless: 1. Capacity factor 1.25, groups of 1,024, top-2 of 64: 64 * 40 / 2,048 = 1.25.
    """
    if dispatch.kind == "dropless":
        return 1.0
    group = group_tokens(dispatch, tokens)
    capacity = slots_per_expert(dispatch, group, top_k, n_experts)
    return n_experts * math.ceil(tokens / group) * capacity / (tokens * top_k)

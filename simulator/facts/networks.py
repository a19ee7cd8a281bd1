"""What the words of a table say of the network between nodes: cards, rates, generations.

    "8 x 400 Gb/s", "3.2 Tb/s per node", "50 GB/s per GPU", "NDR InfiniBand", "8x HDR"

A rate without a bearer is the whole node's; a generation without a number is one port a chip.
"""

from __future__ import annotations

import re

from simulator.facts.tables import first_match, table

BITS = {"b": 1.0, "B": 8.0}

SCALES = {"G": 1e9, "T": 1e12}

CARDS = r"(?:(\d+)\s*[x×*]\s*)?"

RATE = rf"{CARDS}(\d+(?:\.\d+)?)\s*([GT])(?:([bB])(?:it)?(?:/s|ps)|bE\b|\b)"

WITHIN_A_NODE = r"nvlink|nvswitch|xgmi|infinity fabric|\bpcie|\bici\b|\bhbm"

PER_CHIP = r"\b(?:per|a|each)\s+(?:gpu|chip|npu|accelerator|card|nic|port)|/\s?(?:gpu|chip)"


def network_bytes_per_s(words: str, node_chips: float) -> float | None:
    """A chip's share of the network of its node, one direction; None where the words say nothing.

    Words on what is within a node say nothing of what is between nodes.

    Args:
        words: one clause of a cell.
        node_chips: chips that share the cards of a node.
    """
    if re.search(WITHIN_A_NODE, words, re.IGNORECASE):
        return None
    for match in re.finditer(RATE, words):
        cards, rate, scale, unit = match.groups()
        named = unit or re.search(r"ethernet|infiniband|roce|\bIB\b|network|bE\b", words)
        if not named and not cards:
            continue
        total = float(cards or 1) * float(rate) * SCALES[scale] * BITS[unit or "b"] / 8
        alone = cards is None and re.search(PER_CHIP, words, re.IGNORECASE)
        return total if alone else total / node_chips
    if generation := first_match(table("networks.toml")["network"], words):
        cards = re.search(r"(\d+)\s*[x×*]|[x×*]\s*(\d+)", words)
        port = float(generation["gbit_per_s"]) * 1e9 / 8
        return port * float(cards[1] or cards[2]) / node_chips if cards else port
    return None

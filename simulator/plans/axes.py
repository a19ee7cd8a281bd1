"""What rows of degrees are crossed with: micro-batches, ZeRO and its shards, and modes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

MICRO = {False: (1, 2, 4, 8, 16), True: (1, 2, 3, 4, 6, 8, 12, 16)}


Rows = dict[str, NDArray[Any]]


Choices = dict[str, list[Any]]


Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Axes:
    """The values of each axis, in the order in which a row of degrees is crossed with them.

    Attributes:
        micro_batch: sequences; the least one stands for all of a rank that has fewer.
        zero: ZeRO stages.
        shard: chips that shards span where they are named, else parts of the ranks.
        recompute: modes of recomputation.
        sequence_parallel: whether norms are shared out; alike where nothing is tensor parallel.
        fine: whether shards may span a part of the ranks: all, a half, a quarter, ...
        named: whether the chips that they span are named.
    """

    micro_batch: NDArray[np.float64]
    zero: NDArray[Any]
    shard: NDArray[Any]
    recompute: NDArray[Any]
    sequence_parallel: NDArray[Any]
    fine: bool
    named: bool

    @classmethod
    def of(cls, choices: Choices, most_ranks: int, *, fine: bool) -> Self:
        """The axes of a space.

        ZeRO 2 is not searched: no formula has what it sends with each micro-batch yet.

        Args:
            choices: values of the axes that are not free.
            most_ranks: data parallel ranks of any row.
            fine: every micro-batch in place of powers of two, and shards over a part of the ranks.
        """
        parts = powers(most_ranks) if fine else [1]
        return cls(
            micro_batch=np.sort(np.asarray(choices.get("micro_batch", MICRO[fine]), float)),
            zero=np.array(choices.get("zero", [0, 1, 3])),
            shard=np.array(choices.get("shard", parts)),
            recompute=np.array(choices.get("recompute", ["none", "selective", "full"])),
            sequence_parallel=np.array(choices.get("sequence_parallel", [True, False])),
            fine=fine,
            named="shard" in choices,
        )

    @property
    def sizes(self) -> dict[str, int]:
        """How many values each axis has, the outermost first."""
        return {name: len(getattr(self, name)) for name in CROSSED}

    def columns(self, rows: Rows, at: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
        """The fields of plans.

        Args:
            rows: degrees of their rows.
            at: index of each on each axis; arrays that broadcast with the rows.
        """
        size = self.micro_batch[at["micro_batch"]]
        columns = {
            "micro_batch": np.where(at["micro_batch"] > 0, size, np.minimum(size, rows["local"])),
            "zero": self.zero[at["zero"]],
            "recompute": self.recompute[at["recompute"]],
            "sequence_parallel": self.sequence_parallel[at["sequence_parallel"]]
            | (rows["tp"] == 1),
        }
        if self.named:
            columns["shard"] = self.shard[at["shard"]]
        elif self.fine:
            columns["shard"] = np.maximum(rows["ranks"] // self.shard[at["shard"]], 1)
        return columns

    def possible(self, rows: Rows, at: Mapping[str, NDArray[np.int64]]) -> dict[str, Mask]:
        """Whether rows have these values, by what decides: arguments as of `columns`."""
        zero = self.zero[at["zero"]]
        fewer = self.micro_batch[at["micro_batch"]] <= rows["local"]
        sharded = (zero != 3) | (rows["pp"] == 1)
        if self.fine and not self.named:
            parts, ranks = self.shard[at["shard"]], rows["ranks"]
            some = (zero > 0) & (ranks % parts == 0) & (ranks // parts > 1)
            sharded = sharded & ((parts == 1) | some)
        return {
            "micro_batch": (at["micro_batch"] == 0) | fewer,
            "sharding": sharded,
            "sequence_parallel": (rows["tp"] > 1) | (at["sequence_parallel"] == 0),
        }


CROSSED = ("micro_batch", "zero", "shard", "recompute", "sequence_parallel")


def powers(most: int) -> list[int]:
    """1, 2, 4, ... up to a number."""
    return [2**i for i in range(most.bit_length())]

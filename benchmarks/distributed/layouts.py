"""The layouts that are compared on 1, 2 and 4 processes, by name, and the plan of the simulator."""

from __future__ import annotations

from typing import Any

from glam.distributed.degrees import Parallelism


def layouts(ranks: int, *, mixture: bool) -> dict[str, Parallelism]:
    """Return every layout of so many processes.

    Args:
        ranks: number of processes.
        mixture: whether there are experts to share out.
    """
    if ranks == 1:
        return {"alone": Parallelism()}
    own = {"data": Parallelism(), "FSDP2": Parallelism(shard=True)}
    if mixture:
        own["expert"] = Parallelism(expert=ranks)
        own["expert + FSDP2"] = Parallelism(expert=2, shard=True)
    return own


def plan_of(parallelism: Parallelism, sequences: int) -> dict[str, Any]:
    """Return the [plan] of a scenario that is spread likewise.

    Args:
        parallelism: the degrees.
        sequences: of a micro-batch of one process.
    """
    zero = 3 if parallelism.shard else 0
    return {"ep": parallelism.expert, "zero": zero, "micro_batch": sequences}

"""Which phase each moment of a run belongs to: compute, evaluation, checkpoint, ..., idle.

A moment belongs to the window around it that began last, the innermost where windows nest; outside
of every window the run was idle. So the phases share out the whole run and nothing counts twice.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

IDLE = "idle"


def shared_out(
    windows: Iterable[tuple[float, float, str]], start_s: float, stop_s: float
) -> dict[str, list[tuple[float, float]]]:
    """Stretches of each phase.

    A window of compute from 1 to 9 with one of evaluation from 4 to 6 inside, in a run from 0 to
    10: compute 1 to 4 and 6 to 9, evaluation 4 to 6, idle 0 to 1 and 9 to 10.

    Args:
        windows: start, stop and phase of each.
        start_s: of the run.
        stop_s: of the run.

    Returns:
        Phase -> stretches that do not overlap, by time; together they are the run.
    """
    clipped = [(max(a, start_s), min(b, stop_s), phase) for a, b, phase in windows]
    begins = sorted((a, b, phase) for a, b, phase in clipped if a < b)
    edges = sorted({start_s, stop_s, *(a for a, _, _ in begins), *(b for _, b, _ in begins)})
    found: dict[str, list[tuple[float, float]]] = {}
    open_: list[tuple[float, float, str]] = []
    last, began = "", 0
    for i, here in enumerate(edges[:-1]):
        while began < len(begins) and begins[began][0] <= here:
            a, b, phase = begins[began]
            heapq.heappush(open_, (-a, b, phase))
            began += 1
        while open_ and open_[0][1] <= here:
            heapq.heappop(open_)
        phase = open_[0][2] if open_ else IDLE
        stretches = found.setdefault(phase, [])
        if phase == last:
            stretches[-1] = (stretches[-1][0], edges[i + 1])
        else:
            stretches.append((here, edges[i + 1]))
        last = phase
    return found

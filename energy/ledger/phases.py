"""Which phase each moment of a run belongs to: compute, evaluation, checkpoint, ..., idle.

A moment belongs to the window around it that began last, which is the innermost if windows nest.
Outside of every window the run is idle. So the phases divide the whole run and nothing is counted
twice.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

IDLE = "idle"


def split_by_phase(
    windows: Iterable[tuple[float, float, str]], start_s: float, stop_s: float
) -> dict[str, list[tuple[float, float]]]:
    """The stretches of each phase.

    Example: in a run from 0 to 10, a compute window from 1 to 9 that contains an evaluation window
    from 4 to 6 gives compute 1 to 4 and 6 to 9, evaluation 4 to 6, idle 0 to 1 and 9 to 10.

    Args:
        windows: start, stop and phase of each window.
        start_s: start of the run.
        stop_s: end of the run.

    Returns:
        Phase -> stretches in order of time, without overlap; together they cover the run.
    """
    clipped = [(max(a, start_s), min(b, stop_s), phase) for a, b, phase in windows]
    begins = sorted((a, b, phase) for a, b, phase in clipped if a < b)
    edges = sorted({start_s, stop_s, *(a for a, _, _ in begins), *(b for _, b, _ in begins)})
    stretches: dict[str, list[tuple[float, float]]] = {}
    # A heap of the open windows, the one that began last on top.
    open_: list[tuple[float, float, str]] = []
    last, begun = "", 0
    for i, here in enumerate(edges[:-1]):
        while begun < len(begins) and begins[begun][0] <= here:
            a, b, phase = begins[begun]
            heapq.heappush(open_, (-a, b, phase))
            begun += 1
        while open_ and open_[0][1] <= here:
            heapq.heappop(open_)
        phase = open_[0][2] if open_ else IDLE
        own = stretches.setdefault(phase, [])
        if phase == last:
            own[-1] = (own[-1][0], edges[i + 1])
        else:
            own.append((here, edges[i + 1]))
        last = phase
    return stretches

"""Which phase each moment of a run belongs to: compute, evaluation, checkpoint, ..., idle.

A moment belongs to the window around it that began last, which is the innermost if windows nest.
Outside of every window the run is idle. So the phases divide the whole run and nothing is counted
twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from energy.ledger.interpolation import Floats, Indices
from energy.ledger.windows import Windows

IDLE = "idle"

AT_ONCE = 1 << 13
"""Windows that begin in a part of the run that is divided at once, to bound the memory."""


def split_by_phase(
    windows: Windows, start_s: float, stop_s: float
) -> Iterator[tuple[str, Floats, Floats]]:
    """Divide a run, part by part.

    Example: in a run from 0 to 10, a compute window from 1 to 9 that contains an evaluation window
    from 4 to 6 gives compute 1 to 4 and 6 to 9, evaluation 4 to 6, idle 0 to 1 and 9 to 10.

    Args:
        windows: of the run.
        start_s: start of the run.
        stop_s: end of the run.

    Yields:
        A phase, and the begins and ends of stretches of it, in order of time. Together they cover
        the run without overlap.
    """
    if start_s >= stop_s:
        return
    begins, ends, kinds = map(np.asarray, (windows.begins, windows.ends, windows.kinds))
    names = [phase for _, phase in windows.names]
    phases = list(dict.fromkeys([IDLE, *names]))
    phase_of = np.array([phases.index(name) for name in names], dtype=np.intp)
    order = np.argsort(begins, kind="stable")
    open_, from_s = order[:0], start_s
    for first in range(0, max(1, len(order)), AT_ONCE):
        part = np.concatenate((open_, order[first : first + AT_ONCE]))
        # The one that began last comes last, and of those that began together, the shortest.
        part = part[np.lexsort((-ends[part], begins[part]))]
        later = order[first + AT_ONCE : first + AT_ONCE + 1]
        until_s = stop_s if not len(later) else min(max(float(begins[later[0]]), from_s), stop_s)
        edges, owners = _owners(
            np.clip(begins[part], from_s, until_s),
            np.clip(ends[part], from_s, until_s),
            np.array([from_s, until_s]),
        )
        phase_at = np.where(owners < 0, 0, phase_of[kinds[part[owners]]] if len(part) else 0)
        changes = np.flatnonzero(np.diff(phase_at, prepend=-1))
        starts, stops = edges[changes], edges[np.append(changes[1:], len(phase_at))]
        for phase in np.unique(phase_at):
            own = phase_at[changes] == phase
            yield phases[phase], starts[own], stops[own]
        open_, from_s = part[ends[part] > until_s], until_s


def _owners(begins: Floats, ends: Floats, limits: Floats) -> tuple[Floats, Indices]:
    """The last of some intervals around each stretch between two neighboring edges of any.

    An interval of n stretches, 2^k <= n, is noted at the first and the last 2^k of them. From the
    greatest k down each note is handed to its two halves, so the work is n log n.

    Args:
        begins: of the intervals.
        ends: of the intervals.
        limits: further edges.

    Returns:
        The edges, and for each stretch between two of them the index of the last interval around
        it, or -1.
    """
    edges = np.unique(np.concatenate((begins, ends, limits)))
    stretches = len(edges) - 1
    first, stop = np.searchsorted(edges, begins), np.searchsorted(edges, ends)
    whole = np.flatnonzero(first < stop)
    first, stop = first[whole], stop[whole]
    sizes = np.frexp((stop - first).astype(float))[1] - 1
    owners = np.full(stretches, -1, dtype=np.intp)
    for k in range(int(sizes.max(initial=0)), -1, -1):
        own = sizes == k
        for at in (first[own], stop[own] - (1 << k)):
            np.maximum.at(owners, at, whole[own])
        if k:
            half = 1 << (k - 1)
            second = owners[:-half].copy()
            np.maximum(owners[half:], second, out=owners[half:])
    return edges, owners

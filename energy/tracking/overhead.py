"""Does metering slow a step down? Steps with it (A) and without it (B), in randomized pairs."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from energy.errors import InputError
from energy.quantity import Origin, Quantity
from energy.sampler.inbox import INBOX_POLL_NS

if TYPE_CHECKING:
    from energy.tracking.tracker import Tracker

MIN_PAIRS = 6
"""With fewer pairs there is no 95 % interval."""

PAUSE_S = 1.0
"""The longest pause that a sampler grants."""


def measure(tracker: Tracker, step: Callable[[], object], pairs: int = 40) -> Quantity:
    """Relative change of a step's time due to metering: the median over pairs, with its interval.

    A is the step in a window while the sampler reads the meters; B is the same step without a
    window while the sampler pauses. The interval is that of the median by order statistics
    (Hollander and Wolfe, Nonparametric Statistical Methods, 3.6), which assumes nothing about the
    noise: of 40 pairs it reaches from the 14th to the 27th, with 96 % coverage. The result is also
    written to the ledger, as a mark "overhead".

    Args:
        tracker: an open tracker.
        step: a step of less than a second; it runs 2 x pairs times, and once to warm up.
        pairs: number of pairs.

    Returns:
        A ratio: 0.001 is a step that takes 0.1 % longer.

    Raises:
        InputError: fewer than 6 pairs.
    """
    if pairs < MIN_PAIRS:
        raise InputError(f"expected at least {MIN_PAIRS} pairs", str(pairs))
    generator = random.Random(pairs)
    step()
    with_s: list[float] = []
    without_s: list[float] = []
    for _ in range(pairs):
        for metered in generator.sample((True, False), 2):
            (with_s if metered else without_s).append(_timed(tracker, step, metered))
    changes = sorted(a / b - 1 for a, b in zip(with_s, without_s, strict=True))
    cut = _cut(pairs)
    overhead = Quantity(
        value=statistics.median(changes),
        unit="1",
        low=changes[cut],
        high=changes[-1 - cut],
        origin=Origin.MEASURED,
        coverage=0.95,
        source=f"{pairs} pairs of steps, metered against unmetered, in random order",
    )
    tracker.mark(
        "overhead",
        pairs=pairs,
        relative=overhead.value,
        low=overhead.low,
        high=overhead.high,
        with_s=statistics.median(with_s),
        without_s=statistics.median(without_s),
    )
    return overhead


def _cut(pairs: int = 40) -> int:
    """Changes to leave out at each end to get the 95 % interval of the median; 13 of 40."""
    tail, cut = 1, 0
    while 2 * (tail + math.comb(pairs, cut + 1)) <= 0.05 * 2**pairs:
        cut += 1
        tail += math.comb(pairs, cut)
    return cut


def _timed(tracker: Tracker, step: Callable[[], object], metered: bool) -> float:
    """Seconds of one step; the sampler has received the request before the clock starts."""
    tracker.pause(0.0 if metered else PAUSE_S)
    time.sleep(1.2 * INBOX_POLL_NS / 1e9)  # longer than the sampler waits between two reads
    start = time.perf_counter()
    if metered:
        with tracker.window("overhead"):
            step()
    else:
        step()
    stop = time.perf_counter()
    tracker.pause(0.0)
    return stop - start

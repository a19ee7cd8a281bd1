"""The answer of `simulator serve --plan`: the degrees and batch with the fewest joules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from energy.errors import InfeasibleError, InputError
from simulator.kit.answer import Answer
from simulator.questions.serve.batches import LARGEST, powers
from simulator.serving.figures import constants_of, notes_of
from simulator.serving.fitted import Fitted
from simulator.serving.predict import Served, serve
from simulator.serving.request import Request, Resolved, problems, remedy, resolve
from simulator.serving.service import Service, room
from simulator.terms import Term

Array = NDArray[np.float64]

SHOWN = 10


@dataclass(frozen=True)
class Option:
    """One way to serve: degrees, batch, and what they take."""

    chips: int
    tp: int
    ep: int
    dp: int
    batch: float
    j_per_token: float
    itl_s: float
    ttft_s: float
    tokens_per_s: float


@dataclass(frozen=True, kw_only=True, repr=False)
class Planned(Answer):
    """The ways to serve within the limits, the fewest joules first.

    Attributes:
        request: without degrees and batch.
        resolved: its facts.
        options: within the limits; one for each split, at its best batch.
        considered: configurations that were computed.
        fitted: constants and bands.
        by_chip_s: whether chip-seconds stand for joules, as the watts are not known.
    """

    view = "plans"

    request: Request
    resolved: Resolved
    options: tuple[Option, ...]
    considered: int
    fitted: Fitted
    by_chip_s: bool

    @property
    def best(self) -> Option:
        """The fewest joules."""
        return self.options[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know; degrees are chosen, not assumed."""
        own = tuple(note for note in notes_of(self._best_resolved) if not note.startswith("ep "))
        if not self.by_chip_s:
            return own
        unknown = f"the watts of {self.resolved.chip.id} are not known"
        return *own, f"{unknown}: the order is by chip-seconds, not by joules"

    @property
    def _best_resolved(self) -> Resolved:
        service = replace(self.resolved.service, chips=float(self.best.chips))
        return replace(self.resolved, service=service)

    @property
    def headline(self) -> str:
        """The best way."""
        b = self.best
        joules = "" if self.by_chip_s else f"{b.j_per_token:.3g} J a token, "
        return (
            f"{self.resolved.name} on {b.chips} x {self.resolved.chip.id}: {described(b)}: "
            f"{joules}{1e3 * b.itl_s:.3g} ms between tokens, {b.tokens_per_s:,.0f} tokens/s"
        )

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return 7.5, 1.2 + 0.3 * len(self.options)

    def terms(self) -> Mapping[str, Term]:
        """No terms: `simulator serve --explain` explains one way."""
        return {}


def described(option: Option) -> str:
    """The degrees and the batch in words."""
    return f"tp {option.tp}, ep {option.ep}, dp {option.dp}, batch {option.batch:,.0f}"


def best_plan(
    request: Request,
    max_itl_ms: float | None = None,
    max_ttft_ms: float | None = None,
    constants: Path | str | None = None,
) -> Planned:
    """Search degrees, chips up to those of the request, and batches.

    Args:
        request: its chips are the most that may be used; tp, ep and dp that it has are kept.
        max_itl_ms: limit of the time between tokens.
        max_ttft_ms: limit of the time to the first token.
        constants: a file of constants instead of the published fit.

    Raises:
        InputError: a name is unknown, or a number is out of its range.
        InfeasibleError: nothing fits in memory, or nothing is within the limits.
    """
    for name, limit in (("--max-itl-ms", max_itl_ms), ("--max-ttft-ms", max_ttft_ms)):
        if limit is not None and not 0 < limit < float("inf"):
            raise InputError(f"expected {name} above 0", f"{limit:g}")
    fitted = constants_of(constants)
    resolved = resolve(replace(request, batch=1), fitted.constants)
    ways, refused = _ways(request, resolved)
    if not ways:
        raise InfeasibleError(
            f"expected a way to serve {resolved.name} on {request.chips} x {resolved.chip.id}",
            refused,
            remedy(replace(request, batch=1), fitted.constants),
        )
    results = [(way, serve(way.service, fitted.constants)) for way in ways]
    best = (_best_batch(way, served, max_itl_ms, max_ttft_ms) for way, served in results)
    by_chip_s = not np.isfinite(float(resolved.service.board.design_w))
    options = sorted((o for o in best if o is not None), key=lambda o: _cost(o, by_chip_s))
    if not options:
        itl = min(float(np.min(served.itl_s)) for _, served in results)
        ttft = min(float(np.min(served.ttft_s)) for _, served in results)
        raise InfeasibleError(
            f"expected a way within {_limits(max_itl_ms, max_ttft_ms)}",
            f"at best {1e3 * itl:.3g} ms between tokens, {1e3 * ttft:.3g} ms to the first",
            "raise the limit, or name more chips",
        )
    return Planned(
        request=request,
        resolved=resolved,
        options=tuple(options[:SHOWN]),
        considered=sum(len(way.batches) for way in ways),
        fitted=fitted,
        by_chip_s=by_chip_s,
    )


@dataclass(frozen=True)
class _Way:
    """A split of chips with all its batches."""

    split: tuple[int, int, int, int]
    service: Service
    batches: Array


def _ways(request: Request, resolved: Resolved) -> tuple[list[_Way], str]:
    """The splits that can run at some batch, and why the last other one cannot."""
    ways, refused = [], f"no split of up to {request.chips} chips with --tp, --ep and --dp as named"
    for split in _splits(request, resolved):
        chips, tp, ep, dp = split
        service = replace(
            resolved.service, chips=float(chips), ep=float(ep), dp=float(dp), batch=float(dp)
        )
        if reasons := list(problems(service, resolved.shape, tp, ep, dp)):
            refused = reasons[0]
            continue
        batches = powers(float(dp), min(float(room(service).largest_batch), LARGEST))
        ways.append(_Way(split, replace(service, batch=batches), batches))
    return ways, refused


def _splits(request: Request, resolved: Resolved) -> list[tuple[int, int, int, int]]:
    """Chips, tp, ep and dp of all ways to use up to as many chips."""
    numbers = {2**power for power in range(12)} | {request.chips}
    splits = []
    for chips in sorted(number for number in numbers if number <= request.chips):
        for tp in (size for size in range(1, chips + 1) if chips % size == 0):
            dp = chips // tp
            experts = {1, chips} if resolved.kind == "moe" else {1}
            splits += [(chips, tp, ep, dp) for ep in sorted(experts)]
    kept = ((request.tp, 1), (request.ep, 2), (request.dp, 3))
    return [
        split
        for split in splits
        if all(value is None or split[place] == value for value, place in kept)
    ]


def _best_batch(
    way: _Way, served: Served, max_itl_ms: float | None, max_ttft_ms: float | None
) -> Option | None:
    """The batch of a split with the fewest joules within the limits."""
    split, batches = way.split, way.batches
    itl, ttft = np.asarray(served.itl_s), np.broadcast_to(served.ttft_s, batches.shape)
    allowed = np.ones(batches.shape, bool)
    if max_itl_ms is not None:
        allowed &= itl <= max_itl_ms / 1e3
    if max_ttft_ms is not None:
        allowed &= ttft <= max_ttft_ms / 1e3
    if not allowed.any():
        return None
    rate = np.asarray(served.tokens_per_s)
    joules = np.asarray(served.j_per_token)
    cost = np.where(np.isfinite(joules), joules, split[0] / rate)
    place = int(np.argmin(np.where(allowed, cost, np.inf)))
    return Option(
        *split,
        batch=float(batches[place]),
        j_per_token=float(joules[place]),
        itl_s=float(itl[place]),
        ttft_s=float(ttft[place]),
        tokens_per_s=float(rate[place]),
    )


def _cost(option: Option, by_chip_s: bool) -> float:
    return option.chips / option.tokens_per_s if by_chip_s else option.j_per_token


def _limits(max_itl_ms: float | None, max_ttft_ms: float | None) -> str:
    named = (("between tokens", max_itl_ms), ("to the first token", max_ttft_ms))
    limits = [f"{limit:g} ms {words}" for words, limit in named if limit is not None]
    return " and ".join(limits) or "the memory"

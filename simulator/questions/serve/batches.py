"""The answer of `simulator serve --sweep`: every batch that fits, and its knee."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy.errors import InfeasibleError
from simulator.kit.answer import Answer
from simulator.serving import bounds
from simulator.serving.figures import constants_of, notes_of
from simulator.serving.fitted import Fitted
from simulator.serving.predict import Served, serve
from simulator.serving.request import Request, Resolved, remedy, resolve
from simulator.terms import Term

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, repr=False)
class Batches(Answer):
    """A service at every batch that fits.

    Attributes:
        request: without its batch.
        resolved: with its facts.
        batches: powers of two, and the largest that fits (batches).
        served: as arrays (batches).
        fitted: constants and bands.
    """

    view = "batches"

    request: Request
    resolved: Resolved
    batches: Array
    served: Served
    fitted: Fitted

    @property
    def name(self) -> str:
        """The model on its chips."""
        return f"{self.resolved.name} on {self.request.chips} x {self.resolved.chip.id}"

    @property
    def joules(self) -> Array:
        """Joules of the chips for a token (batches); not a number without watts."""
        return np.asarray(self.served.j_per_token)

    @property
    def latency(self) -> Array:
        """Seconds between tokens (batches)."""
        return np.asarray(self.served.itl_s)

    @property
    def knee(self) -> int:
        """Place of the batch with the least joules x seconds.

        Beyond it, a batch saves a smaller share of the joules than it adds to the time between
        tokens; before it, a larger one (energy-delay product, Horowitz et al. 1994). Without watts,
        chip-seconds a token stand for joules.
        """
        known = bool(np.all(np.isfinite(self.joules)))
        cost = self.joules if known else 1 / np.asarray(self.served.tokens_per_s)
        return int(np.argmin(cost * self.latency))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        if np.all(np.isfinite(self.joules)):
            return notes_of(self.resolved)
        unknown = f"the watts of {self.resolved.chip.id} are not known"
        return *notes_of(self.resolved), f"{unknown}: the knee is by chip-seconds, not by joules"

    @property
    def headline(self) -> str:
        """The knee."""
        place = self.knee
        joules = f"{self.joules[place]:.3g} J a token, " if np.isfinite(self.joules[place]) else ""
        return (
            f"{self.name}: the knee is at a batch of {self.batches[place]:,.0f}: {joules}"
            f"{1e3 * self.latency[place]:.3g} ms between tokens"
        )

    def band(self, figure: str) -> tuple[float, float]:
        """Relative 80 % band of a figure."""
        return self.fitted.relative(self.resolved.kind, figure, self.resolved.family)

    def terms(self) -> Mapping[str, Term]:
        """No terms: `simulator serve --batch --explain` explains one batch."""
        return {}


def over_batches(request: Request, constants: Path | str | None = None) -> Batches:
    """A service at every power of two of sequences that fits, and at the largest batch.

    Raises:
        InputError: a name is unknown, or a number is out of its range.
        InfeasibleError: it cannot run at any batch.
    """
    fitted = constants_of(constants)
    smallest = float(request.dp or 1)
    least = replace(request, batch=smallest)
    resolved = resolve(least, fitted.constants)
    if resolved.problem:
        raise InfeasibleError(
            "expected a service that can run", resolved.problem, remedy(least, fitted.constants)
        )
    batches = powers(smallest, _most(resolved))
    service = replace(resolved.service, batch=batches)
    return Batches(
        request=request,
        resolved=resolved,
        batches=batches,
        served=serve(service, fitted.constants),
        fitted=fitted,
    )


def powers(first: float, most: float) -> Array:
    """A number doubled as often as it stays within another, and that other.

    From 1 to 689: 1, 2, 4, ..., 512, 689.
    """
    count = int(np.log2(max(most / first, 1.0)))
    doubled = first * 2.0 ** np.arange(count + 1)
    return np.unique(np.append(doubled, most))


LARGEST = 65_536.0
"""The most sequences of a sweep."""


def _most(resolved: Resolved) -> float:
    from simulator.serving.service import room

    return min(float(room(resolved.service).largest_batch), LARGEST)


def as_rows(answer: Batches) -> list[dict[str, Any]]:
    """A row for each batch, with the ends of its bands."""
    energy, time = answer.band("j_per_token"), answer.band("itl_s")
    least = bounds.least_token_s(answer.served.service)
    quick, slow = bounds.not_below(time, answer.latency, least)
    rows = []
    for place, batch in enumerate(answer.batches):
        joules, latency = float(answer.joules[place]), float(answer.latency[place])
        known = np.isfinite(joules)
        rows.append(
            {
                "batch": float(batch),
                "j_per_token": joules if known else None,
                "j_per_token_low": joules * (1 + energy[0]) if known else None,
                "j_per_token_high": joules * (1 + energy[1]) if known else None,
                "itl_s": latency,
                "itl_s_low": latency * (1 + float(quick[place])),
                "itl_s_high": latency * (1 + slow),
                "ttft_s": float(np.asarray(answer.served.ttft_s)[place]),
                "tokens_per_s": float(np.asarray(answer.served.tokens_per_s)[place]),
                "chip_power_w": float(np.asarray(answer.served.draw.chip_w)[place])
                if known
                else None,
                "knee": place == answer.knee,
            }
        )
    return rows

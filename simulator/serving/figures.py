"""What a request takes, as quantities with bands: joules, latency, memory, and the ladder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from energy.errors import InfeasibleError, InputError
from energy.facts.site import Site, site
from energy.footprint.account import Account
from energy.quantity import Boundary, Origin, Quantity
from simulator.runs.assumed import Assumption, factor, in_a_line
from simulator.serving import bounds
from simulator.serving.account import Rung, accounted, idle_reserve, rungs, serving_site
from simulator.serving.fitted import Fitted, load, shipped_fit
from simulator.serving.predict import Served
from simulator.serving.predict import serve as predicted
from simulator.serving.request import Request, Resolved, remedy, resolve

WATTS = {"dense": (-0.32, 0.10), "moe": (-0.19, 0.31)}
"""80 % band of the watts of a chip: measured over predicted, of families left out of the fit (357
rows). The low end of dense models is one task on one board (docs/serving.md)."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Figures:
    """A served model.

    Attributes:
        request: what is to be served.
        resolved: with its facts.
        served: as predicted; of a service that cannot run, as if it could.
        fitted: constants and bands.
        site: of its machines, with the steps of serving.
        quantities: by the names that scripts rely on.
        account: of a token; None where the watts of the chip are not known.
        notes: what a reader must know.
        unnamed: options of the site that nobody named.
    """

    request: Request
    resolved: Resolved
    served: Served
    fitted: Fitted
    site: Site
    quantities: Mapping[str, Quantity]
    account: Account[Quantity] | None
    notes: tuple[str, ...]
    unnamed: tuple[str, ...] = ()

    @property
    def left_open(self) -> str:
        """What was assumed of its site, each with its option and its worth, in a line."""
        site = self.site
        known = {
            "--pue": factor("PUE", site.pue, "--pue", "energy"),
            "--reserve": factor("idle reserve", site.it_over_node, "--reserve", "energy"),
            "--zone": factor("grid", site.grid_location, "--zone", "CO2e"),
            "--chip-price": Assumption("price of chips", "none", "--chip-price"),
        }
        return in_a_line([known[option] for option in self.unnamed], "its option")

    @property
    def problem(self) -> str:
        """Why it cannot run, or what is not known; empty where neither is so."""
        if self.resolved.problem:
            return self.resolved.problem
        return "" if self.account is not None else self.quantities["j_per_token"].source

    @property
    def ladder(self) -> list[Rung]:
        """Joules of a token by boundary; empty where they are not known."""
        return [] if self.account is None else rungs(self.account)

    @property
    def facility_j(self) -> Quantity:
        """Facility joules of a token; missing where the watts of the chip are not known."""
        if self.account is None:
            return self.quantities["j_per_token"]
        return self.account.totals[Boundary.FACILITY]

    def require_runs(self) -> None:
        """Refuse a service that cannot run, or whose chip lacks a fact, after its answer.

        Raises:
            InfeasibleError: it cannot run, or the watts of its chip are not known.
        """
        if self.resolved.problem:
            raise InfeasibleError(
                "expected a service that can run",
                self.resolved.problem,
                remedy(self.request, self.fitted.constants),
            )
        if self.account is None:
            raise InfeasibleError(
                f"expected the watts of {self.resolved.chip.id}",
                "unknown",
                "its times are predicted, its joules are not; choose another chip for those",
            )


def figures(
    request: Request,
    *,
    zone: str | None = None,
    pue: float | None = None,
    chip_price: float | None = None,
    reserve: float | None = None,
    constants: Path | str | None = None,
) -> Figures:
    """What a request takes at a site.

    Args:
        request: what is to be served.
        zone: grid zone; a band over all zones without it.
        pue: facility over IT energy; assumed without it.
        chip_price: dollars of a chip-hour; no cost is stated without it.
        reserve: energy of all machines over that of the busy ones; assumed without it.
        constants: a file of constants instead of the published fit.

    Raises:
        InputError: a name is unknown, or a number is out of its range.
        MissingDataError: the memory or the peak of the chip, or the zone, is not known.
    """
    place = site(zone, pue=pue, chip_price=chip_price)
    named = {"--pue": pue, "--reserve": reserve, "--zone": zone, "--chip-price": chip_price}
    answer = figures_of(request, constants_of(constants), place, _reserve(reserve))
    unnamed = tuple(option for option, value in named.items() if value is None)
    return replace(answer, unnamed=unnamed)


def constants_of(path: Path | str | None) -> Fitted:
    """The constants of a file, or the published fit."""
    return load(Path(path)) if path else shipped_fit()


def _reserve(value: float | None) -> Quantity:
    if value is None:
        return idle_reserve()
    if not 1 <= value < 100:
        raise InputError("expected --reserve of 1 or more", f"{value:g}")
    return Quantity.exact(value, "1", "--reserve", Origin.ASSUMED)


def figures_of(request: Request, fitted: Fitted, place: Site, reserve: Quantity) -> Figures:
    """A request at a site, with constants."""
    resolved = resolve(request, fitted.constants)
    result = predicted(resolved.service, fitted.constants)
    quantities = _quantities(result, resolved, fitted)
    chip_w = float(result.draw.chip_w)
    own = serving_site(place, resolved.chip, chip_w if np.isfinite(chip_w) else 0.0, reserve)
    token = quantities["j_per_token"]
    totals = None
    if token.value is not None:
        # Seconds of all chips for a token: their rent; the reserve is rented too.
        seconds = request.chips / float(result.tokens_per_s)
        rented = Quantity.of(
            seconds,
            "s",
            "chips / tokens per second",
            Origin.MODELLED,
            relative=_bands(result, resolved, fitted)["mean_s"],
        )
        totals = accounted(token, own, rented)
    return Figures(
        request=request,
        resolved=resolved,
        served=result,
        fitted=fitted,
        site=own,
        quantities=quantities,
        account=totals,
        notes=notes_of(resolved),
    )


def _quantities(result: Served, resolved: Resolved, fitted: Fitted) -> dict[str, Quantity]:
    energy = fitted.relative(resolved.kind, "j_per_token", resolved.family)
    bands = _bands(result, resolved, fitted)
    quick, slow = bands["mean_s"]
    rate = (1 / (1 + slow) - 1, 1 / (1 + quick) - 1)
    source = f"roofline of a step; constants of {fitted.rows} published rows, families left out"

    def modelled(value: Any, unit: str, relative: Any) -> Quantity:
        return Quantity.of(float(value), unit, source, Origin.MODELLED, relative=relative)

    def joules(value: Any) -> Quantity:
        if not np.isfinite(float(value)):
            return Quantity.absent(
                "J", f"neither a design power nor a maximum of {resolved.chip.id} is known"
            )
        return modelled(value, "J", energy)

    answer = float(resolved.service.answer)
    token, share = result.j_per_token, result.draw.prompt_share
    space = result.room
    return {
        "j_per_token": joules(token),
        "j_per_request": joules(token * answer),
        "prefill_j_per_request": joules(token * answer * share),
        "decode_j_per_token": joules(token * (1 - share)),
        "ttft_s": modelled(result.ttft_s, "s", bands["ttft_s"]),
        "itl_s": modelled(result.itl_s, "s", bands["itl_s"]),
        "tokens_per_s": modelled(result.tokens_per_s, "1/s", rate),
        "chip_power_w": Quantity.absent("W", f"watts of {resolved.chip.id} are not known")
        if not np.isfinite(float(token))
        else modelled(result.draw.chip_w, "W", bands["chip_w"]),
        "weight_bytes": Quantity.exact(
            float(space.weight_bytes), "B", "weights of a chip", Origin.MODELLED
        ),
        "kv_bytes": Quantity.exact(
            float(space.sequence_bytes * resolved.service.sequences),
            "B",
            "cache and state of the batch, on one chip",
            Origin.MODELLED,
        ),
        "largest_batch": Quantity.exact(
            float(space.largest_batch), "1", "sequences whose caches fit", Origin.MODELLED
        ),
        "touched_share": Quantity.exact(
            float(result.step.touched),
            "1",
            "share of the experts that a step reads",
            Origin.MODELLED,
        ),
    }


def _bands(result: Served, resolved: Resolved, fitted: Fitted) -> dict[str, tuple[float, float]]:
    """Relative bands of times and watts, within what memory, products and design allow."""
    time = fitted.relative(resolved.kind, "itl_s", resolved.family)
    s = result.service
    mean_s = result.step.mean_s / result.step.yields
    watts = WATTS[resolved.kind]
    ends = {
        "itl_s": bounds.not_below(time, result.itl_s, bounds.least_token_s(s)),
        "mean_s": bounds.not_below(time, mean_s, bounds.least_mean_s(s)),
        "ttft_s": bounds.not_below(time, result.ttft_s, bounds.least_first_s(s)),
        "chip_w": bounds.not_above(watts, result.draw.chip_w, s.board.design_w),
    }
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def notes_of(resolved: Resolved) -> tuple[str, ...]:
    """What was assumed of a service, and what no row has measured."""
    known = ("h100", "b200")
    notes = ["prompts and idle time of the chips are in the joules of a token of the answer"]
    if not resolved.chip.id.startswith(known):
        notes.append(
            f"no measured row is of {resolved.chip.id}: its constants are those of H100 and B200"
        )
    if int(resolved.service.chips) > int(resolved.service.board.domain):
        notes.append("chips beyond one domain of links: no measured row has those")
    return (*resolved.notes, *notes)

"""The answer of `simulator serve`: joules, latency and memory of a served model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.kit.answer import Answer
from simulator.serving.figures import Figures, figures
from simulator.serving.request import Request
from simulator.terms import Term

MILLION = 1e6


@dataclass(frozen=True, kw_only=True, repr=False)
class Serving(Figures, Answer):
    """A served model, for a person."""

    @property
    def name(self) -> str:
        """The model on its chips, split as it is."""
        r = self.resolved
        split = ", ".join(
            f"{word} {degree}"
            for word, degree in (("tp", r.tp), ("ep", r.ep), ("dp", r.dp))
            if degree > 1
        )
        chips = f"{self.request.chips} x {r.chip.id}"
        return f"{r.name} on {chips}{f' ({split})' if split else ''}, batch {self.request.batch:g}"

    @property
    def headline(self) -> str:
        """Joules a token and latency, or why there are none."""
        if self.resolved.problem:
            return f"{self.name}: cannot run: {self.resolved.problem}"
        token, itl = self.quantities["j_per_token"], self.quantities["itl_s"]
        if token.value is None:
            return f"{self.name}: {itl.human()} between tokens; no joules: {token.source}"
        return f"{self.name}: {token.human()} a token, {itl.human()} between tokens"

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return 7.0, 2.4

    def terms(self) -> Mapping[str, Term]:
        """Facility joules of a token, down to the seconds of a step."""
        if self.account is None:
            return {}
        return super().terms()


def serve(
    model: str,
    chip: str,
    chips: int = 1,
    *,
    zone: str | None = None,
    pue: float | None = None,
    chip_price: float | None = None,
    reserve: float | None = None,
    constants: Path | str | None = None,
    **options: Any,
) -> Serving:
    """What a model spends when it answers.

        serve("llama3-70b", "h100", 4, batch=64, isl=500, osl=300).quantities["j_per_token"]

    Args:
        model: of the catalog, a preset, a scenario file or a config.json.
        chip: of the catalog.
        chips: how many.
        zone: grid zone of the site; a band over all zones without it.
        pue: facility over IT energy; assumed without it.
        chip_price: dollars of a chip-hour; no cost is stated without it.
        reserve: energy of all machines over that of the busy ones; assumed without it.
        constants: a file of constants instead of the published fit.
        options: other fields of `simulator.serving.request.Request`: batch, isl, osl, tp, ep, dp,
            precision, kv_precision, load, draft, acceptance.

    Raises:
        InputError: a name is unknown, or a number is out of its range.
        MissingDataError: the memory or the peak of the chip, or the zone, is not known.
    """
    return of_request(
        Request(model=model, chip=chip, chips=chips, **options),
        zone=zone,
        pue=pue,
        chip_price=chip_price,
        reserve=reserve,
        constants=constants,
    )


def of_request(request: Request, **options: Any) -> Serving:
    """As `serve`, of a request; options are those of `simulator.serving.figures.figures`."""
    return Serving(**vars(figures(request, **options)))

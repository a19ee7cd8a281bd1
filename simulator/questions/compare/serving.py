"""Two models when they answer: FLOP of a token, and joules on the fewest chips that hold each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from energy.errors import InfeasibleError, InputError
from energy.flops import forward_flop
from energy.quantity import Origin, Quantity
from energy.shape import total
from simulator.facts.tables import table
from simulator.runs.sides import Run
from simulator.scenarios.scenario import Scenario
from simulator.serving.figures import Figures, constants_of, figures
from simulator.serving.request import MOST_CHIPS, Request, fewest_chips


@dataclass(frozen=True)
class ServedSide:
    """A model of a comparison when it answers.

    Attributes:
        name: of the run.
        flop: of a forward pass for a token, by our count without attention scores.
        published_flop: as its authors print them; missing where they do not.
        figures: joules and latency.
    """

    name: str
    flop: Quantity
    published_flop: Quantity
    figures: Figures

    @property
    def notes(self) -> list[str]:
        """What was assumed, with its name."""
        return [f"{self.name}: {note}" for note in self.figures.notes]


def served_sides(runs: Sequence[Run], request: Request) -> tuple[ServedSide, ...]:
    """Each model of a comparison when it answers.

    Args:
        runs: scenarios.
        request: chip, chips and load of all of them; 0 chips are the fewest that hold each.

    Raises:
        InputError: a run is a record, which does not say what model to serve.
        InfeasibleError: no number of chips holds a model.
    """
    return tuple(_side(run, request) for run in runs)


def _side(run: Run, request: Request) -> ServedSide:
    if not isinstance(run, Scenario):
        raise InputError("expected scenarios with --serving", f"the record {run.name}")
    parts = forward_flop(run.model.resolve())
    flop = float(total({name: v for name, v in parts.items() if name != "attention_scores"}))
    row = table("serving.toml")["published_forward"].get(run.name)
    return ServedSide(
        name=run.name,
        flop=Quantity.exact(flop, "FLOP", "forward pass, without scores", Origin.MODELLED),
        published_flop=Quantity.exact(row["gflop"] * 1e9, "FLOP", row["source"])
        if row
        else Quantity.absent("FLOP", "not published"),
        figures=_fitting(replace(request, model=run.name)),
    )


def _fitting(request: Request) -> Figures:
    """On the chips of the request, or the fewest that hold it."""
    chips = request.chips or fewest_chips(replace(request, chips=1), constants_of(None).constants)
    if chips is None:
        raise InfeasibleError(
            f"expected chips that hold {request.model} at a batch of {request.batch:g}",
            f"none of up to {MOST_CHIPS:,} x {request.chip}",
            "choose another --chip, fewer bits a weight or a smaller --batch",
        )
    result = figures(replace(request, chips=chips))
    result.require_runs()
    return result

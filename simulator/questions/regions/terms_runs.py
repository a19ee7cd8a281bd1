"""How the CO2e of a moved run was computed: what `simulator regions --of --explain` prints."""

from __future__ import annotations

from simulator.questions.regions.moved import MovedRuns
from simulator.runs.terms import carbon
from simulator.terms import Term


def terms(runs: MovedRuns) -> dict[str, Term]:
    """Gross CO2e at each place, by its id: the joules that stay, and the place's factors."""
    return {
        run.place.id: carbon(runs.energy, runs.boundary, run.record, "location")
        for run in runs.rows
    }

"""The picture of `simulator regions --of`: tonnes of CO2e of a run at each place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from energy.units import G_PER_T
from simulator.kit.style import Panel
from simulator.questions.regions.moved import MovedRuns
from simulator.questions.regions.picture_places import gross_and_net


def panels(runs: MovedRuns) -> Sequence[Panel]:
    """One panel, a bar a place."""
    return [partial(tonnes_by_place, runs)]


def tonnes_by_place(runs: MovedRuns, axes: Axes) -> Axes:
    """Tonnes of CO2e of the run at each place with their band, and beside it net, where known."""
    rows = [(run.place.id, run.record.co2_location_g, run.record.co2_market_g) for run in runs.rows]
    return gross_and_net(axes, rows, G_PER_T, f"CO2e of {runs.record.name} / t")

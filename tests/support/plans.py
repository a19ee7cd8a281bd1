"""Whether a scenario's plan fits in memory for certain, as searches ask."""

import numpy as np

from simulator.physics.memory import memory
from simulator.runs.estimate import estimate
from simulator.runs.setup import Setup
from simulator.scenarios.scenario import Scenario


def fits(scenario: Scenario) -> bool:
    """A named plan a little over the limit is predicted, with a note; no search has it."""
    setup = Setup.of(scenario)
    return bool(np.all(memory(setup.shape, estimate(setup).plan, setup.hardware).fits))

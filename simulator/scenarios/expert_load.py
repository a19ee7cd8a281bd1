"""The load of the experts that a scenario names: a list of shares, or a file of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simulator.physics.expert_load import ExpertLoad


def expert_load(given: Any) -> ExpertLoad:
    """The load that a scenario's `expert_load` gives: a log by its path, or the shares."""
    return ExpertLoad.read(Path(given)) if isinstance(given, str) else ExpertLoad.of(given)

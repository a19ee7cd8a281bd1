"""Routing that nobody forces to be balanced: slower than the tables that constants come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from simulator.facts.assumptions import unbalanced_routing
from simulator.fit.pool import Pool
from simulator.physics.constants import Constants

Band = tuple[float, float]
"""Ends of ln(measured / predicted rate)."""


def with_routing(
    constants: Constants, band: Band, pool: Pool, words: Mapping[str, str], named: Mapping[str, Any]
) -> tuple[Constants, Band, tuple[str, ...]]:
    """Constants and band of a mixture whose balance is not named, with a note; others as they are.

    Rows of the user's own cluster or framework were as unbalanced as the run will be.

    Args:
        constants: of the chip and its software.
        band: of a prediction with them.
        pool: that they come from.
        words: the groups of the run.
        named: fields of its plan.
    """
    own = words["kind"] in pool.own.get(words["chip"], {})
    own = own or words["framework"] in pool.provenance.get("own_frameworks", ())
    if words["kind"] != "moe" or own or {"imbalance", "expert_load"} & set(named):
        return constants, band, ()
    middle, least, most = unbalanced_routing().numbers()
    slower = replace(constants, software=np.asarray(constants.software) * middle)
    wider = (
        -float(np.hypot(band[0], np.log(most / middle))),
        float(np.hypot(band[1], np.log(middle / least))),
    )
    note = (
        f"routing: not forced to balance, {middle:g} times the step time, {least:g} to {most:g} "
        "(plan.imbalance or plan.expert_load)"
    )
    return slower, wider, (note,)

"""Energy of nodes in the terms of MLPerf Training's power rules; validated by nobody.

The rules ask for every node at its power supplies, once a second or more often. A record holds the
joules that its meters summed as the rules do (each reading x the time since the one before); what
of the rules it cannot show is said in the log.
"""

from __future__ import annotations

from typing import Any

from energy.disclosure.facts import Facts
from energy.disclosure.forms import form
from energy.quantity import Boundary

LEAST_S = 60.0
"""The rules ask for 60 samples at one a second."""


def written(facts: Facts) -> dict[str, Any]:
    """The log: a line a node, and the conditions of the rules, each met or not known."""
    own = form("mlperf-power")
    nodes = [  # a device within a node is not one
        {
            "node": entry.device,
            "run": record.name,
            "energy_j": entry.value,
            "low_j": entry.low,
            "high_j": entry.high,
            "origin": entry.origins,
            "meter": entry.api,
            "duration_s": record.elapsed_s.value,
            "covered": entry.covered,
        }
        for record in facts.records
        for entry in record.energy
        if entry.boundary is Boundary.NODE and entry.value is not None and entry.within is None
    ]
    total = facts.quantities["metered_node_j"]
    shortest_s = min(record.elapsed_s.value or 0.0 for record in facts.records)
    return {
        **own.heading(),
        "note": own.note,
        "validated_by": "nobody",
        "metric": {"total_node_energy_j": total.numbers()[0], "origin": total.origins},
        "nodes": nodes,
        "interconnect": "not measured and not estimated: state maximum power x provisioning "
        "ratio x duration beside this log",
        "conditions": {
            "node_level": "met",
            "at_least_60_s": "met" if shortest_s >= LEAST_S else "not met: extend the run",
            "one_sample_a_second": "not known from a record: see the ledger's header",
            "all_nodes": "not known from a record",
            "within_5_percent_of_a_certified_meter": "not known: energy calibrate",
        },
    }

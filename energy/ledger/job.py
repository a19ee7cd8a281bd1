"""The job, the node and the rank of this process, from the variables of schedulers and launchers.

The launcher that started the process itself states its rank, the scheduler around it the job: a
torchrun inside a Slurm job has torchrun's ranks and Slurm's job.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from energy.meters.files import fact_rows

TASKS = re.compile(r"(\d{1,6})(?:\(x(\d{1,6})\))?")
"""Tasks of a node, and how many nodes have as many."""


@dataclass(frozen=True)
class Job:
    """What is known of the job; None where nothing states it.

    Attributes:
        scheduler: who gave the job its id.
        id: of the job, with its step: 1234 or 1234.0.
        name: of the job.
        attempt: how often the scheduler, or the launcher outside of any, started it again.
        restart: how often a launcher within a scheduler's job started it again.
        launcher: who gave the process its rank.
        rank: number of this process among all of its launch, from 0.
        ranks: how many there are.
        local_rank: number of this process on its node.
        local_ranks: how many there are on its node.
        node: number of this node.
        nodes: how many there are.
    """

    scheduler: str | None = None
    id: str | None = None
    name: str | None = None
    attempt: int | None = None
    restart: int | None = None
    launcher: str | None = None
    rank: int | None = None
    ranks: int | None = None
    local_rank: int | None = None
    local_ranks: int | None = None
    node: int | None = None
    nodes: int | None = None

    @property
    def parallel(self) -> bool:
        """Whether this process is one of several ranks."""
        return self.rank is not None and (self.ranks or 1) > 1

    def as_dict(self) -> dict[str, Any]:
        """What is known, for a record."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def job(environment: Mapping[str, str] = os.environ) -> Job:
    """The job of a process with these variables."""
    rows = fact_rows("launchers.csv")
    launch = next((row for row in rows if _is_rank(row, environment)), None)
    # The outermost scheduler stands last.
    around = next((row for row in rows[::-1] if _text(row["job"], environment)), None)
    facts: dict[str, Any] = {}
    if around is not None:
        step = _text(around["step"], environment)
        facts["scheduler"] = around["launcher"]
        facts["id"] = ".".join(filter(None, (_text(around["job"], environment), step)))
        facts["name"] = _text(around["job_name"], environment)
        facts["attempt"] = _number(around["attempt"], environment)
    if launch is not None:
        facts["launcher"] = launch["launcher"]
        for field in ("rank", "ranks", "local_rank"):
            facts[field] = _number(launch[field], environment)
        if around is not launch:
            counted = "attempt" if around is None else "restart"
            facts[counted] = _number(launch["attempt"], environment)
    for field in ("node", "nodes"):
        stated = (_number(row[field], environment) for row in (around, launch) if row)
        facts[field] = next((number for number in stated if number is not None), None)
    if launch is not None:
        here = _text(launch["local_ranks"], environment)
        facts["local_ranks"] = None if here is None else _tasks(here, facts["node"])
    return Job(**facts)


def attempt_of(facts: Mapping[str, Any]) -> str:
    """The attempt that the facts of a job belong to: "0", "1", or "1.2"; empty without a job.

    The second number is that of a launcher which a scheduler's job started.
    """
    if not (facts.get("scheduler") or facts.get("launcher")):
        return ""
    numbers = [facts.get("attempt") or 0, facts.get("restart")]
    return ".".join(str(number) for number in numbers if number is not None)


def _is_rank(row: Mapping[str, str], environment: Mapping[str, str]) -> bool:
    """Whether a launcher has started this process as one of its ranks."""
    if row["launcher"] == "Slurm" and environment.get("ENVIRONMENT") == "BATCH":
        # The script of a job bears rank 0 of as many tasks as the job has; only a step has ranks.
        return _text("SLURM_STEP_ID", environment) is not None
    return None not in (_number(row["rank"], environment), _number(row["ranks"], environment))


def _tasks(text: str, node: int | None) -> int | None:
    """Ranks of a node: "8", or as Slurm lists all nodes, "4(x2),3" for two of four and one of 3."""
    counts: list[int] = []
    for part in text.split(","):
        match = TASKS.fullmatch(part)
        if match is None:
            return None
        counts += [int(match[1])] * int(match[2] or 1)
    place = (node or 0) if len(counts) > 1 else 0
    return counts[place] if place < len(counts) else None


def _text(variables: str, environment: Mapping[str, str]) -> str | None:
    """The first of these variables that says something; torchrun calls a job without id "none"."""
    texts = (environment.get(name) for name in variables.split(";"))
    return next((text for text in texts if text not in (None, "", "none")), None)


def _number(variables: str, environment: Mapping[str, str]) -> int | None:
    text = _text(variables, environment)
    return int(text) if text is not None and text.isdigit() else None

"""The job, the node and the rank of this process, from the variables of schedulers and launchers.

The launcher that started the process itself states its rank, the scheduler around it the job: a
torchrun inside a Slurm job has torchrun's ranks and Slurm's job.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from energy.meters.files import fact_rows


@dataclass(frozen=True)
class Job:
    """What is known of the job; None where nothing states it.

    Attributes:
        scheduler: who gave the job its id.
        id: of the job, with its step: 1234 or 1234.0.
        name: of the job.
        attempt: how often it was started again.
        launcher: who gave the process its rank.
        rank: number of this process among all of its launch, from 0.
        ranks: how many there are.
        local_rank: number of this process on its node.
        node: number of this node.
        nodes: how many there are.
    """

    scheduler: str | None = None
    id: str | None = None
    name: str | None = None
    attempt: int | None = None
    launcher: str | None = None
    rank: int | None = None
    ranks: int | None = None
    local_rank: int | None = None
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
    for field in ("node", "nodes"):
        stated = (_number(row[field], environment) for row in (around, launch) if row)
        facts[field] = next((number for number in stated if number is not None), None)
    return Job(**facts)


def _is_rank(row: Mapping[str, str], environment: Mapping[str, str]) -> bool:
    """Whether a launcher has started this process as one of its ranks."""
    if row["launcher"] == "Slurm" and environment.get("ENVIRONMENT") == "BATCH":
        # The script of a job bears rank 0 of as many tasks as the job has; only a step has ranks.
        return _text("SLURM_STEP_ID", environment) is not None
    return None not in (_number(row["rank"], environment), _number(row["ranks"], environment))


def _text(variables: str, environment: Mapping[str, str]) -> str | None:
    """The first of these variables that says something; torchrun calls a job without id "none"."""
    texts = (environment.get(name) for name in variables.split(";"))
    return next((text for text in texts if text not in (None, "", "none")), None)


def _number(variables: str, environment: Mapping[str, str]) -> int | None:
    text = _text(variables, environment)
    return int(text) if text is not None and text.isdigit() else None

"""What a record says of the attempts and the ranks of a job: what each spent, lost and waited."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from energy.quantity import Quantity


class Attempt(BaseModel):
    """One attempt of a job that its launcher or its scheduler may have started again.

    Attributes:
        name: "0", "1", or "1.2": the second restart within the job that was queued again once.
        died: whether any of its ranks was killed or raised.
        ranks: how many ranks have a ledger of it.
        elapsed_s: how long it went on.
        energy_j: what it spent, its waste included.
        wasted_s: seconds after its last checkpoint, if it died, and others that were thrown away.
        wasted_j: joules of that time.
        wasted_flop: model FLOP of that time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    died: bool
    ranks: int = Field(ge=0)
    elapsed_s: Quantity
    energy_j: Quantity
    wasted_s: Quantity
    wasted_j: Quantity
    wasted_flop: Quantity


class Rank(BaseModel):
    """One rank of a job, beside the others.

    Attributes:
        rank: its number.
        host: its machine.
        devices: what it owns; a device that others own too counts in parts.
        energy_j: joules of these devices while the job went on.
        steps: steps that all ranks did.
        slowest: of these, those in which no rank worked longer.
        step_s: median seconds of a step in which it worked, without waiting.
        waiting_s: seconds of all steps in which it waited for the slowest rank.
        waiting_share: of the seconds of the steps.
        waiting_j: joules of its devices while it waited.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(ge=0)
    host: str
    devices: tuple[str, ...]
    energy_j: Quantity
    steps: int = Field(default=0, ge=0)
    slowest: int = Field(default=0, ge=0)
    step_s: Quantity
    waiting_s: Quantity
    waiting_share: Quantity
    waiting_j: Quantity

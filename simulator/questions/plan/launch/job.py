"""What every launch needs to know of a plan, and the words of torchrun that all begin with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from energy.shape import Shape
from simulator.physics.plan import Plan, in_words

NODE = 8
"""Accelerators of a usual server."""

TRAY = 4
"""Accelerators of a node whose links reach beyond it, as those of a rack of 72 do."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A training by a plan.

    Attributes:
        name: of the model.
        chip: of the catalog.
        precision: of its matrix products, such as bf16.
        shape: of the model.
        plan: with all its degrees.
        link_domain_chips: chips that its fast links reach.
        tokens: of the run.
        by: what the plan is the best of.
    """

    name: str
    chip: str
    precision: str
    shape: Shape
    plan: Plan
    link_domain_chips: int
    tokens: float
    by: str

    @property
    def chips(self) -> int:
        """Chips of the run."""
        return int(self.plan.n_chips)

    @property
    def per_node(self) -> int:
        """Chips of a node: those that its links reach, up to a usual server."""
        usual = TRAY if self.link_domain_chips > NODE else max(1, self.link_domain_chips)
        return math.gcd(self.chips, usual)

    @property
    def nodes(self) -> int:
        """Nodes of the run."""
        return self.chips // self.per_node

    @property
    def heading(self) -> str:
        """The plan in words, for a comment."""
        return (
            f"{self.name} on {self.chips:,} {self.chip}: {in_words(self.plan)} "
            f"(least {self.by}, by simulator plan)"
        )

    @property
    def micro_batch(self) -> int:
        """Sequences of a micro-batch."""
        return max(1, int(self.plan.sequences))

    @property
    def micro_batches(self) -> int:
        """Micro-batches of a step: trainers want equal ones, so a batch is rounded to that."""
        return max(1, round(float(self.plan.local_batch) / self.micro_batch))

    @property
    def batch(self) -> int:
        """Sequences of a step, over all chips."""
        return int(self.plan.dp) * self.micro_batch * self.micro_batches

    @property
    def steps(self) -> int:
        """Optimizer steps that read all tokens of the run."""
        return max(1, math.ceil(self.tokens / (self.batch * int(self.shape.seq_len))))

    @property
    def batch_note(self) -> list[str]:
        """What a reader must know of the batch, if it is not that of the plan."""
        planned = float(self.plan.global_batch)
        if self.batch == planned:
            return []
        return [
            f"a batch of {self.batch} sequences for {planned:,.0f}: that divides into equal "
            f"micro-batches (dp {self.plan.dp:g} x {self.micro_batch})"
        ]

    def torchrun(self, module: tuple[str, ...]) -> list[str]:
        """The words up to those of the trainer: torchrun on all nodes, and what each rank runs."""
        words = ["torchrun", f"--nproc-per-node={self.per_node}"]
        if self.nodes == 1:
            return [*words, "--standalone", *module]
        rendezvous = [
            f"--nnodes={self.nodes}",
            "--rdzv-backend=c10d",
            '--rdzv-endpoint="${HEAD:?is the first node}:29500"',
            f"--rdzv-id={self.name}",
        ]
        return [*words, *rendezvous, *module]


def lines_of(words: list[str], options: Mapping[str, str | int | None]) -> str:
    """A command over several lines: its words, then an option a line; None stands for no value."""
    shown = [
        name if value is None else f"{name} {value}" for name, value in options.items() if name
    ]
    return " \\\n  ".join([" ".join(words), *shown])

"""What the experiment trains: sizes, mixtures of equal active parameters, seeds and tokens.

A mixture has experts in every other layer, as GLaM has. Two experts h wide and a router over E
experts have as many weights per unit of width as a dense network H wide: 2 * 2 * h + E = 3 * H, up
to the rounding of h to a multiple of four, which suits the matrix products. For H = 4 * 64 and
E = 16 that is h = 188.

The family glam, the model of GLaM's authors, is trained in both sizes; plain, GLaM built from its
paper alone, beside it in the small one. A mixture is compared with the dense model of its family.

The models are small and read fifteen tokens per weight: experts show their worth only once a model
has learned what a small one can hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.scenarios.scenario import Scenario, check

SEQUENCE = 128
BATCH = 32
"""Sequences per step: each of 32 experts still sees 256 tokens."""
EVALUATIONS = 24
"""Validation losses of a run, after the same numbers of tokens in all runs."""
CHECKPOINTS = 5
"""Checkpoints that a run keeps, evenly over its steps, for `experiments.experts`."""
HOURS = 1.75
"""Length of the whole experiment, about."""
TOKENS_PER_HOUR = 4.8e6 / HOURS
"""Tokens of one run per hour that all runs together may take on one core."""
TEXT_MB = 16
"""Text of each domain, enough that no document is read often."""
FAMILY = {
    "d_head": 32,
    "ffn_matrices": 3,
    "expert_matrices": 2,
    "vocab_size": 1024,
    "seq_len": SEQUENCE,
    "norm_vectors": 1,
    "relative_buckets": 32,
    "tied_embedding": 1,
}


@dataclass(frozen=True)
class Size:
    """One size of the dense model and its mixtures.

    Attributes:
        name: small or large.
        layers: number of layers; in a mixture, half of them have experts.
        width: d_model; the dense feed-forward network is four times as wide.
        seeds: seeds of weights and data order; every variant is trained with each.
        families: architectures in which it is trained.
    """

    name: str
    layers: int
    width: int
    seeds: tuple[int, ...]
    families: tuple[str, ...]


SIZES = (
    Size("small", 4, 64, (0, 1, 2), ("glam", "plain")),
    Size("large", 4, 96, (0,), ("glam",)),
)
EXPERTS = (1, 4, 16, 32)
"""1 is the dense model."""


@dataclass(frozen=True)
class Run:
    """One training of the experiment.

    Attributes:
        size: size of the model.
        family: its architecture, glam or plain.
        experts: experts of each MoE layer; 1 for a dense model.
        seed: seed of weights and data order.
        steps: optimizer steps.
    """

    size: Size
    family: str
    experts: int
    seed: int
    steps: int

    @property
    def variant(self) -> str:
        """Size, family unless glam, and experts, "small-16e"; the same for all seeds."""
        group = self.size.name if self.family == "glam" else f"{self.size.name}-{self.family}"
        return f"{group}-{'dense' if self.experts == 1 else f'{self.experts}e'}"

    @property
    def name(self) -> str:
        """Variant and seed, "small-16e-seed2"; also the folder of the run."""
        return f"{self.variant}-seed{self.seed}"

    @property
    def evaluate_every(self) -> int:
        """Steps between two evaluations."""
        return max(1, self.steps // EVALUATIONS)

    def shape(self) -> dict[str, Any]:
        """The fields of its `Shape`, by name."""
        width, heads = self.size.width, self.size.width // 32
        sparse = self.experts > 1
        return FAMILY | {
            "n_layers": self.size.layers,
            "d_model": width,
            "n_heads": heads,
            "n_kv_heads": heads,
            "d_ff": 4 * width,
            "n_moe_layers": self.size.layers // 2 if sparse else 0,
            "n_experts": self.experts,
            "top_k": 2 if sparse else 1,
            "d_expert": (3 * 4 * width - self.experts) // 16 * 4 if sparse else 0,
        }

    def configuration(self) -> str:
        """The trainer's configuration, as TOML; the recipe is the same for all runs."""
        every = self.evaluate_every
        training = {
            "steps": self.steps,
            "batch_sequences": BATCH,
            "seed": self.seed,
            "log_every": every,
            "evaluate_every": every,
            "checkpoint_every": -(-self.steps // CHECKPOINTS),
            "keep_checkpoints": CHECKPOINTS,
        }
        lines = [f'name = "{self.name}"', f'family = "{self.family}"', "[shape]"]
        lines += [f"{key} = {value}" for key, value in self.shape().items()]
        lines += ["[training]", *(f"{key} = {value}" for key, value in training.items())]
        return "\n".join([*lines, "[corpus]", f"max_mb = {TEXT_MB}"]) + "\n"

    def scenario(self, machine: str) -> Scenario:
        """The scenario that the simulator predicts before the run starts.

        Args:
            machine: path of the machine file, which no run of the experiment went into.
        """
        table = {
            "name": self.name,
            "model": {"shape": self.shape()},
            "run": {"steps": self.steps, "batch_sequences": BATCH, "goodput": 1.0},
            "hardware": {"machine": machine},
        }
        return check(table, self.name)


def runs(hours: float) -> list[Run]:
    """All runs of an experiment of so many hours.

    Size by size and seed by seed; in each, family by family and dense first.
    """
    steps = max(EVALUATIONS, round(hours * TOKENS_PER_HOUR / (BATCH * SEQUENCE)))
    return [
        Run(size, family, experts, seed, steps)
        for size in SIZES
        for seed in size.seeds
        for family in size.families
        for experts in EXPERTS
    ]

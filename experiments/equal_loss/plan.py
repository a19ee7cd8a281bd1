"""What the experiment trains: sizes, mixtures of equal active parameters, seeds and tokens.

A mixture has its experts in every other layer, as GLaM has, and two of them with their router
weigh what a dense layer's network does: 2 * 2 * h + E = 3 * H a unit of width, but for the
rounding of h to a multiple of four that the products want.

The models are small and read fifteen tokens for each weight, as nobody sees what experts are worth
in a model that has yet to learn what a small one can hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.scenarios import scenario

SEQUENCE = 128
BATCH = 32
"""Sequences of a step: 32 experts still see 256 tokens each."""
EVALUATIONS = 24
"""Held-out losses of a run, at the same tokens in all."""
CHECKPOINT_EVERY = 100
TOKENS_AN_HOUR = {"small": 4.8e6, "large": 4.8e6}
"""Tokens of one run for each hour that all runs may take, on one core."""
TEXT_MB = 16
"""Of each domain, so that no document is read often."""
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
        layers: of the model, half of them mixtures.
        width: d_model; the dense network has four times as many units.
        seeds: of weights and data order, each a run of every variant.
    """

    name: str
    layers: int
    width: int
    seeds: tuple[int, ...]


SIZES = (Size("small", 4, 64, (0, 1, 2)), Size("large", 4, 96, (0,)))
EXPERTS = (1, 4, 16, 32)
"""1 is the dense model."""


@dataclass(frozen=True)
class Run:
    """One training of the experiment.

    Attributes:
        size: of the model.
        experts: of each mixture layer; 1 is dense.
        seed: of weights and data order.
        steps: optimizer steps.
    """

    size: Size
    experts: int
    seed: int
    steps: int

    @property
    def variant(self) -> str:
        """Size and experts: "small-16e"; all seeds share it."""
        return f"{self.size.name}-{'dense' if self.experts == 1 else f'{self.experts}e'}"

    @property
    def name(self) -> str:
        """The folder of the run: "small-16e-seed2"."""
        return f"{self.variant}-seed{self.seed}"

    @property
    def evaluate_every(self) -> int:
        """Steps between two held-out losses."""
        return max(1, self.steps // EVALUATIONS)

    def shape(self) -> dict[str, Any]:
        """The fields of its `Shape`."""
        width, heads = self.size.width, self.size.width // 32
        routed = self.experts > 1
        return FAMILY | {
            "n_layers": self.size.layers,
            "d_model": width,
            "n_heads": heads,
            "n_kv_heads": heads,
            "d_ff": 4 * width,
            "n_moe_layers": self.size.layers // 2 if routed else 0,
            "n_experts": self.experts,
            "top_k": 2 if routed else 1,
            "d_expert": (3 * 4 * width - self.experts) // 16 * 4 if routed else 0,
        }

    def configuration(self) -> str:
        """The trainer's configuration, as TOML; one recipe for all."""
        every = self.evaluate_every
        training = {
            "steps": self.steps,
            "batch_sequences": BATCH,
            "seed": self.seed,
            "log_every": every,
            "evaluate_every": every,
            "checkpoint_every": CHECKPOINT_EVERY,
            "keep_checkpoints": 1,
        }
        lines = [f'name = "{self.name}"', "[shape]"]
        lines += [f"{key} = {value}" for key, value in self.shape().items()]
        lines += ["[training]", *(f"{key} = {value}" for key, value in training.items())]
        return "\n".join([*lines, "[corpus]", f"max_mb = {TEXT_MB}"]) + "\n"

    def question(self, machine: str) -> scenario.Scenario:
        """What the simulator is asked before the run starts; nothing of a run is known to it."""
        table = {
            "name": self.name,
            "model": {"shape": self.shape()},
            "run": {"steps": self.steps, "batch_sequences": BATCH, "goodput": 1.0},
            "hardware": {"machine": machine},
        }
        return scenario.check(table, self.name)


def runs(hours: float) -> list[Run]:
    """All runs of an experiment of so many hours: size by size, seed by seed, dense first."""
    found = []
    for size in SIZES:
        steps = max(EVALUATIONS, round(hours * TOKENS_AN_HOUR[size.name] / (BATCH * SEQUENCE)))
        found += [Run(size, experts, seed, steps) for seed in size.seeds for experts in EXPERTS]
    return found

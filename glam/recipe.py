"""The sections of a training run: recipe, dispatch of tokens, corpus, and what ends it early."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from energy.errors import InputError

Optimizer = Literal["adafactor", "adamw"]


Device = Literal["auto", "cpu", "cuda"]


DispatchKind = Literal["dropless", "gshard", "switch"]


@dataclass(frozen=True, kw_only=True)
class Training:
    """The recipe of a run.

    The defaults train the two `glam-mini` sizes on two CPU cores in under 100 s. The paper's own
    recipe (arXiv:2112.06905, section 5) is optimizer "adafactor", learning_rate 0.01, and about
    1M tokens in a batch.

    Attributes:
        steps: optimizer steps of the whole run.
        batch_sequences: sequences in a batch; each holds `shape.seq_len` tokens.
        accumulate: passes over equal parts of a batch before an update; memory for one part.
        optimizer: adafactor (the paper's) or adamw.
        learning_rate: the largest learning rate; Adafactor's is relative to a weight's size.
        warmup_steps: steps of AdamW's linear warm-up; Adafactor needs none.
        weight_decay: AdamW's decoupled decay of matrices.
        clip_norm: largest norm of an AdamW gradient; Adafactor clips each update itself.
        auxiliary_weight: weight of the load-balancing loss; 0.01 in GShard, Switch and GLaM.
        z_loss_weight: weight of the router z-loss; 0.001 in ST-MoE, none in GLaM.
        seed: decides the first weights and the order of the data.
        device: where the model lives; auto takes a GPU where there is one.
        threads: CPU threads; 0 leaves the choice to torch.
        log_every: steps between two lines of metrics.jsonl.
        evaluate_every: steps between two held-out losses; 0 evaluates at the end only.
        evaluate_batches: held-out batches in one evaluation.
        checkpoint_every: steps between two checkpoints; 0 writes one at the end only.
        keep_checkpoints: newest checkpoints kept on disk, beside the one of the lowest held-out
            loss.
        rollbacks: returns to a healthy checkpoint before a run that diverges is given up.
        tensorboard: whether the metrics also go into event files.
    """

    steps: int = 240
    batch_sequences: int = 8
    accumulate: int = 1
    optimizer: Optimizer = "adafactor"
    learning_rate: float = 0.03
    warmup_steps: int = 20
    weight_decay: float = 0.1
    clip_norm: float = 1.0
    auxiliary_weight: float = 0.01
    z_loss_weight: float = 0.0
    seed: int = 0
    device: Device = "auto"
    threads: int = 0
    log_every: int = 10
    evaluate_every: int = 0
    evaluate_batches: int = 8
    checkpoint_every: int = 100
    keep_checkpoints: int = 2
    rollbacks: int = 3
    tensorboard: bool = False

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "batch_sequences",
            "accumulate",
            "log_every",
            "evaluate_batches",
            "keep_checkpoints",
        ):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        whole = self.batch_sequences % self.accumulate == 0
        require(
            whole,
            "accumulate",
            f"a divisor of {self.batch_sequences} batch_sequences",
            self.accumulate,
        )
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            require(0 < value < math.inf, name, "above 0 and finite", value)
        for name in (
            "warmup_steps",
            "weight_decay",
            "auxiliary_weight",
            "z_loss_weight",
            "seed",
            "threads",
            "evaluate_every",
            "checkpoint_every",
            "rollbacks",
        ):
            require(getattr(self, name) >= 0, name, "at least 0", getattr(self, name))
        require(self.seed < 2**32, "seed", "below 2^32", self.seed)
        for name, kind in (("optimizer", Optimizer), ("device", Device)):
            known = get_args(kind)
            require(
                getattr(self, name) in known,
                name,
                f"one of {', '.join(known)}",
                getattr(self, name),
            )


@dataclass(frozen=True, kw_only=True)
class Dispatch:
    """How tokens reach their experts.

    Attributes:
        kind: dropless; gshard (top-2, random second expert) or switch (top-1), with capacity.
        capacity_factor: slots of the experts over assignments, with gshard and switch.
        group_tokens: tokens that share the slots of a group, with gshard and switch.
    """

    kind: DispatchKind = "dropless"
    capacity_factor: float = 1.25
    group_tokens: int = 1024

    def __post_init__(self) -> None:
        known = get_args(DispatchKind)
        require(self.kind in known, "kind", f"one of {', '.join(known)}", self.kind)
        require(
            0 < self.capacity_factor < math.inf,
            "capacity_factor",
            "above 0 and finite",
            self.capacity_factor,
        )
        require(self.group_tokens >= 1, "group_tokens", "at least 1", self.group_tokens)


@dataclass(frozen=True, kw_only=True)
class Stop:
    """What ends a run before its last step; 0 never does. Looked at with every line of metrics.

    Attributes:
        tokens: trained on.
        model_flop: of these tokens.
        energy_j: at the chip boundary, all attempts; never reached where no meter tells joules.
        elapsed_s: of all attempts.
        loss: training loss at or below this, nats a token.
    """

    tokens: float = 0.0
    model_flop: float = 0.0
    energy_j: float = 0.0
    elapsed_s: float = 0.0
    loss: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            require(0 <= value < math.inf, name, "at least 0 and finite", value)


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The text of a run.

    Attributes:
        paths: files, folders, JSON lines, Parquet, saved datasets or hf:NAME, each also as
            DOMAIN=PATH; none is this machine's Python standard library.
        weights: share of the tokens from each domain; none is by a known mixture, else equal.
        held_out: share of the documents that are never trained on.
        max_mb: most text that is read from one domain, a sample of it by hash; 0 is all of what
            is named, and 4 MB a domain of the standard library.
        text_column: key or column of the text, in JSON lines, Parquet and datasets.
    """

    paths: tuple[str, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)
    held_out: float = 0.05
    max_mb: float = 0.0
    text_column: str = "text"

    def __post_init__(self) -> None:
        require(0 < self.held_out < 1, "held_out", "between 0 and 1", self.held_out)
        require(0 <= self.max_mb < math.inf, "max_mb", "at least 0 and finite", self.max_mb)
        for name, weight in self.weights.items():
            require(isinstance(weight, int | float), f"weights.{name}", "a number", repr(weight))
            require(0 <= weight < math.inf, f"weights.{name}", "at least 0 and finite", weight)


def require(holds: Any, name: str, expectation: str, value: Any) -> None:
    """Refuse a setting that is not what it must be."""
    if not holds:
        raise InputError(f"expected {name} to be {expectation}", f"{value}")

"""The sections of a run's configuration: training recipe, token dispatch, corpus, stop rules."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from energy.errors import InputError

Optimizer = Literal["adafactor", "adamw"]


AdafactorForm = Literal["gshard", "torch"]


SecondMomentDecay = Literal["power", "adam"]


Device = Literal["auto", "cpu", "cuda"]


Precision = Literal["auto", "float32", "bfloat16"]


DispatchKind = Literal["dropless", "glam", "gshard", "switch"]


SecondExpert = Literal["all", "sampling", "random"]


@dataclass(frozen=True, kw_only=True)
class Training:
    """The training recipe of a run.

    The defaults train the two `glam-mini` sizes on two CPU cores in under 100 s. The paper's own
    recipe (arXiv:2112.06905, section 5) is optimizer "adafactor", learning_rate 0.01, and about
    1M tokens per batch.

    Attributes:
        steps: optimizer steps of the whole run.
        batch_sequences: sequences in the global batch, of `shape.seq_len` tokens each.
        gradient_accumulation: equal micro-batches that the global batch is split into; their
            gradients are averaged before each update; activations are kept for one at a time.
        optimizer: adafactor (as in the paper) or adamw.
        adafactor_form: gshard, the sharded Adafactor of GLaM's authors, or torch, PyTorch's own,
            which treats gradients below 3e-4 as larger than they are (see
            `glam.adafactor`).
        second_moment_decay: of Adafactor's gshard form: power, 1 - t^-0.8, or adam, 0.99
            corrected for its start from 0.
        learning_rate: peak learning rate; Adafactor's is relative to the size of each weight.
        warmup_steps: steps of AdamW's linear warm-up; Adafactor needs none.
        weight_decay: AdamW's decoupled weight decay, of matrices only.
        clip_norm: gradient clipping norm of AdamW; Adafactor clips each update itself.
        auxiliary_weight: weight of the load-balancing loss; 0.01 in GShard, Switch and GLaM.
        z_loss_weight: weight of the router z-loss; 0.001 in ST-MoE, 0 in GLaM.
        seed: seed of the initial weights and of the data order.
        device: device of the model; auto takes a GPU if there is one.
        precision: format of activations and products; auto takes bfloat16 on GPUs, and on CPUs
            that compute products faster in it. Weights and optimizer are float32.
        threads: CPU threads; 0 leaves the choice to torch.
        log_every: steps between two lines of metrics.jsonl.
        evaluate_every: steps between two evaluations of the validation loss; 0 evaluates only at
            the end.
        evaluate_batches: validation batches per evaluation.
        checkpoint_every: steps between two checkpoints; 0 writes one only at the end.
        keep_checkpoints: number of newest checkpoints to keep on disk, in addition to the one
            with the lowest validation loss.
        rollbacks: rollbacks to a healthy checkpoint before a diverging run is given up.
        tensorboard: whether to write the metrics to TensorBoard event files too.
    """

    steps: int = 240
    batch_sequences: int = 8
    gradient_accumulation: int = 1
    optimizer: Optimizer = "adafactor"
    adafactor_form: AdafactorForm = "gshard"
    second_moment_decay: SecondMomentDecay = "power"
    learning_rate: float = 0.03
    warmup_steps: int = 20
    weight_decay: float = 0.1
    clip_norm: float = 1.0
    auxiliary_weight: float = 0.01
    z_loss_weight: float = 0.0
    seed: int = 0
    device: Device = "auto"
    precision: Precision = "auto"
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
            "gradient_accumulation",
            "log_every",
            "evaluate_batches",
            "keep_checkpoints",
        ):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        require(
            self.batch_sequences % self.gradient_accumulation == 0,
            "gradient_accumulation",
            f"a divisor of {self.batch_sequences} batch_sequences",
            self.gradient_accumulation,
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
        choices = {
            "optimizer": Optimizer,
            "adafactor_form": AdafactorForm,
            "second_moment_decay": SecondMomentDecay,
            "device": Device,
            "precision": Precision,
        }
        for name, kind in choices.items():
            require_known(name, getattr(self, name), get_args(kind))


@dataclass(frozen=True, kw_only=True)
class Dispatch:
    """How tokens are dispatched to their experts.

    Attributes:
        kind: dropless; or, with limited capacity, glam (top-2, as its authors' framework does
            it), gshard (top-2, second expert at random) or switch (top-1).
        capacity_factor: expert slots per assignment, with gshard and switch.
        unadjusted_capacity_factor: expert slots per token, with glam: twice the slots per
            assignment.
        group_tokens: tokens per dispatch group, except with dropless.
        groups: with glam, dispatch groups of a micro-batch instead; 0 means groups of
            `group_tokens`.
        second_expert: with glam, which second experts are sent: all; sampling draws the second
            expert from the gates without the first; random sends it with probability
            g2 / second_expert_threshold, where g2 is its weight.
        second_expert_threshold: of random; 0.5 in GShard's paper, 0 (all are sent) in Praxis.
    """

    kind: DispatchKind = "dropless"
    capacity_factor: float = 1.25
    unadjusted_capacity_factor: float = 2.0
    group_tokens: int = 1024
    groups: int = 0
    second_expert: SecondExpert = "all"
    second_expert_threshold: float = 0.5

    def __post_init__(self) -> None:
        require_known("kind", self.kind, get_args(DispatchKind))
        require_known("second_expert", self.second_expert, get_args(SecondExpert))
        for name in ("capacity_factor", "unadjusted_capacity_factor"):
            value = getattr(self, name)
            require(0 < value < math.inf, name, "above 0 and finite", value)
        require(self.group_tokens >= 1, "group_tokens", "at least 1", self.group_tokens)
        require(self.groups >= 0, "groups", "at least 0", self.groups)
        threshold = self.second_expert_threshold
        require(0 <= threshold <= 1, "second_expert_threshold", "0 to 1", threshold)
        for name in ("second_expert", "groups"):
            value = getattr(self, name)
            require(
                self.kind == "glam" or value == type(self).__dataclass_fields__[name].default,
                f"dispatch.kind with {name} {value}",
                "glam",
                self.kind,
            )


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Limits that end a run before its last step; 0 means no limit.

    They are checked whenever a line of metrics is written.

    Attributes:
        tokens: training tokens.
        model_flop: model FLOP of these tokens.
        energy_j: joules at the chip boundary, over all attempts; no limit where nothing measures
            energy.
        elapsed_s: seconds over all attempts.
        loss: training loss in nats per token; the run ends at or below it.
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
        paths: files, folders, JSON lines, Parquet, saved datasets or hf:NAME, each optionally as
            DOMAIN=PATH; empty means the Python standard library of this machine.
        weights: sampling weight of each domain; empty means a known mixture that has these
            domains, else equal weights.
        validation_fraction: fraction of the documents kept for validation, never trained on.
        max_mb: limit on the text of each domain in MB, sampled by hash; 0 means no limit, and
            4 MB per domain for the standard library.
        text_column: key or column that holds the text in JSON lines, Parquet and datasets.
    """

    paths: tuple[str, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)
    validation_fraction: float = 0.05
    max_mb: float = 0.0
    text_column: str = "text"

    def __post_init__(self) -> None:
        require(
            0 < self.validation_fraction < 1,
            "validation_fraction",
            "between 0 and 1",
            self.validation_fraction,
        )
        require(0 <= self.max_mb < math.inf, "max_mb", "at least 0 and finite", self.max_mb)
        for name, weight in self.weights.items():
            require(isinstance(weight, int | float), f"weights.{name}", "a number", repr(weight))
            require(0 <= weight < math.inf, f"weights.{name}", "at least 0 and finite", weight)


def require_known(name: str, value: Any, known: tuple[Any, ...]) -> None:
    """Raise InputError unless the value of a setting is one of those known."""
    require(value in known, name, f"one of {', '.join(known)}", value)


def require(valid: Any, name: str, expectation: str, value: Any) -> None:
    """Raise InputError unless a setting is valid."""
    if not valid:
        raise InputError(f"expected {name} to be {expectation}", f"{value}")

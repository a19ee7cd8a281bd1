"""The keys of [workload]: what a run does to its model. Without the table it is pre-training.

What is none of these kinds is refused, as a prediction of it as pre-training would be wrong: the
gradients of a preference pair or of a critic, say, are other work.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from energy.errors import InputError
from simulator.physics.workload import Workload
from simulator.scenarios.fields import RequirementError, Section

PRE_TRAINING: Literal["pre-training"] = "pre-training"

USUAL_RANK = 16

USUAL_FORWARDS = 2
"""Of the policy that answered, and of a frozen reference (arXiv:2402.03300, equation 3)."""

ONLY_OF = {
    "rank": ("lora", "rl"),
    "modules": ("lora", "rl"),
    "prompt_tokens": ("rl",),
    "answer_tokens": ("rl",),
    "forwards": ("rl",),
}
"""Keys that some kinds alone have."""


class WorkloadSection(Section):
    """What a run does to its model.

    Attributes:
        kind: pre-training, fine-tuning (of all weights), lora (adapters of low rank beside frozen
            weights) or rl (answers are generated, forward passes give their log-probabilities, and
            the policy is trained on them).
        sample_tokens: tokens of a sample, each weighted with its tokens, to which attention is
            limited in a packed sequence; the whole sequence without it. Of rl: prompt and answer.
        filled: share of a sequence's positions that hold tokens; the rest is padding.
        rank: of the adapters; of rl: where adapters are trained.
        modules: which matrices have adapters: all linear layers, or those of attention.
        prompt_tokens: of a prompt, mean.
        answer_tokens: of an answer that is generated to it, mean.
        forwards: forward passes over each answer for log-probabilities, beside the training.
    """

    kind: Literal["pre-training", "fine-tuning", "lora", "rl"] = PRE_TRAINING
    sample_tokens: float | None = Field(default=None, ge=1)
    filled: float | None = Field(default=None, gt=0, le=1)
    rank: int | None = Field(default=None, ge=1)
    modules: Literal["all", "attention"] | None = None
    prompt_tokens: float | None = Field(default=None, ge=1)
    answer_tokens: float | None = Field(default=None, ge=1)
    forwards: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _keys_of_its_kind(self) -> Self:
        for key, kinds in ONLY_OF.items():
            if getattr(self, key) is not None and self.kind not in kinds:
                of = " or ".join(kinds)
                fix = f"set workload.kind to {of}, or leave {key} out"
                raise RequirementError(f"with {key} only where kind is {of}", self.kind, fix)
        if self.kind != "rl":
            return self
        if self.prompt_tokens is None or self.answer_tokens is None:
            raise RequirementError(
                "with prompt_tokens and answer_tokens where kind is rl",
                "not both",
                "for example workload.prompt_tokens=512, workload.answer_tokens=2048",
            )
        if self.sample_tokens is not None:
            raise RequirementError(
                "without sample_tokens where kind is rl",
                f"{self.sample_tokens:g}",
                "a sample is a prompt and its answer: leave it out",
            )
        return self

    @property
    def is_pre_training(self) -> bool:
        """Whether the work is what laws of loss and the published rows speak of."""
        return self.kind == PRE_TRAINING

    def in_words(self) -> str:
        """What is trained, and on what."""
        words = {
            "fine-tuning": "all weights",
            "lora": f"adapters of rank {self.rank or USUAL_RANK}, beside frozen weights",
            "rl": "answers are generated, scored by forward passes, and trained on",
        }
        sample = f", samples of {self.sample_tokens:g} tokens" if self.sample_tokens else ""
        return f"workload: {self.kind}: {words.get(self.kind, 'all weights')}{sample}"

    def assumed(self) -> dict[str, Any]:
        """Keys that nobody set, with what is taken for them; pre-training leaves none open."""
        if self.is_pre_training:
            return {}
        usual: dict[str, Any] = {"filled": 1}
        if self.kind == "lora":
            usual |= {"rank": USUAL_RANK, "modules": "all"}
        if self.kind == "fine-tuning" or self.kind == "lora":
            usual["sample_tokens"] = "of the whole sequence"
        if self.kind == "rl":
            usual["forwards"] = USUAL_FORWARDS
        return {key: value for key, value in usual.items() if getattr(self, key) is None}

    def plan_fields(self) -> dict[str, Any]:
        """The fields of `simulator.physics.workload.Workload` for a step of training alone.

        Raises:
            InputError: a step generates answers too.
        """
        if self.kind == "rl":
            raise InputError(
                "expected a workload.kind that is training alone",
                "rl",
                "simulator predict prices a step of rl with its generation",
            )
        return self._fields(self.sample_tokens, adapters=self.kind == "lora")

    def training_fields(self) -> dict[str, Any]:
        """Of rl: the same for the part of a step that trains."""
        sample = (self.prompt_tokens or 0.0) + (self.answer_tokens or 0.0)
        return self._fields(sample, adapters=self.rank is not None)

    def _fields(self, sample: float | None, *, adapters: bool) -> dict[str, Any]:
        fields: dict[str, Any] = {"sample": sample or 0.0, "filled": self.filled or 1.0}
        if adapters:
            fields |= {
                "trained": "adapters",
                "adapter_rank": self.rank or USUAL_RANK,
                "adapter_modules": self.modules or "all",
            }
        return fields

    def work(self) -> Workload:
        """What a step of training alone trains, and on what.

        Raises:
            InputError: a step generates answers too.
        """
        return Workload(**self.plan_fields())

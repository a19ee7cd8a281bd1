"""The study of a run's experts as data, and how it grew over training."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from energy.shape import Shape
from glam.specialization.study import LABELS, LayerStudy, Plan, Study
from glam.specialization.windows import Windows

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Experts:
    """The experts of a run at one or more of its checkpoints.

    Attributes:
        name: of the run's configuration.
        shape: of its model.
        windows: the validation text that they were studied on.
        plan: how they were studied.
        studies: by step; the last is the newest checkpoint.
    """

    name: str
    shape: Shape
    windows: Windows
    plan: Plan
    studies: list[Study]

    @property
    def last(self) -> Study:
        """The study of the newest checkpoint."""
        return self.studies[-1]

    @property
    def tested(self) -> int:
        """Experts of all layers, over which p values are corrected."""
        return sum(len(layer.load) for layer in self.last.layers)

    def settled(self, study: Study) -> list[float]:
        """Return of each layer the share of assignments that are those of the newest checkpoint.

        This is the router saturation of OLMoE (arXiv:2409.02060, section 5.1); K / E by chance.
        """
        return [
            float((own[..., :, None] == end[..., None, :]).any(-1).mean())
            for own, end in zip(study.experts, self.last.experts, strict=True)
        ]

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values; what is not a number is null."""
        windows, length = self.windows.size
        table = {
            "name": self.name,
            "step": self.last.step,
            "tokens": windows * length,
            "window_tokens": length,
            "documents": self.windows.documents_by_domain(),
            "off_tokens": self.plan.off_windows * length,
            "permutations": self.plan.permutations,
            "random_routers": self.plan.routers,
            "correction": f"Holm over {self.tested} experts",
            "loss": self.last.loss,
            "layers": [self._layer(layer) for layer in self.last.layers],
            "growth": [self._growth(study) for study in self.studies],
        }
        return _without_nan(table)  # type: ignore[no-any-return]

    def _growth(self, study: Study) -> dict[str, Any]:
        settled = self.settled(study)
        layers = [
            {
                "layer": layer.layer,
                "settled": settled[index],
                "busiest": float(layer.load.max() * len(layer.load)),
                "scores": _scores(layer),
                "significant": {
                    name: int((layer.specialties[name].p < SIGNIFICANT).sum()) for name in LABELS
                },
            }
            for index, layer in enumerate(study.layers)
        ]
        return {"step": study.step, "loss": study.loss, "layers": layers}

    def _layer(self, layer: LayerStudy) -> dict[str, Any]:
        n_experts = len(layer.load)
        return {
            "layer": layer.layer,
            "scores": _scores(layer),
            "busiest": float(layer.load.max() * n_experts),
            "idlest": float(layer.load.min() * n_experts),
            "experts": [self._expert(layer, expert) for expert in range(n_experts)],
        }

    def _expert(self, layer: LayerStudy, expert: int) -> dict[str, Any]:
        takes = {}
        for name, specialty in layer.specialties.items():
            most = int(np.argmax(specialty.lift[expert]))
            takes[name] = {
                "most": specialty.labels[most],
                "lift": float(specialty.lift[expert, most]),
                "nats": float(specialty.divergence[expert]),
                "p": float(specialty.p[expert]),
                "shares": dict(
                    zip(specialty.labels, map(float, specialty.shares[expert]), strict=True)
                ),
            }
        cost = layer.costs[expert] if layer.costs else None
        return {
            "expert": expert,
            "load": float(layer.load[expert]),
            "takes": takes,
            "tokens": layer.tokens[expert],
            "off": None if cost is None else asdict(cost),
        }


def _scores(layer: LayerStudy) -> dict[str, dict[str, float]]:
    return {name: {**asdict(score), "effect": score.effect} for name, score in layer.scores.items()}


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

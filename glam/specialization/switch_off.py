"""What a model loses without one of its experts.

The router passes over the expert, and its tokens go to the next choices, with weights made anew.
The cost is the mean over windows of the loss without it less the loss with it. Its standard error
is that of a mean of clusters (Liang and Zeger, Biometrika 73:13, 1986), since the windows of one
document are alike: SE = sqrt(G / (G - 1) * sum over documents of (sum of d - mean)^2) / N for the
differences d of N windows of G documents. Worked: differences 1, 1 of one document and 3, 3 of
another have mean 2, and SE = sqrt(2 * (4 + 4)) / 4 = 1; as four independent windows it would be
sqrt(4 / 3 * 4) / 4 = 0.58.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glam.model.decoder import Glam
from glam.moe.router import Router
from glam.specialization.observe import Show, losses_of, mixtures
from glam.specialization.windows import Windows


@dataclass(frozen=True)
class Cost:
    """What a model loses without an expert.

    Attributes:
        nats: added loss per token.
        stderr: its standard error over documents; NaN if there is only one.
    """

    nats: float
    stderr: float


def costs(
    model: Glam, windows: Windows, losses: NDArray[np.float64], show: Show
) -> list[list[Cost]]:
    """Return the cost of switching off each expert of each mixture layer, one at a time.

    Args:
        model: in evaluation.
        windows: of validation text.
        losses: of the whole model on these windows (N).
        show: shows the progress.
    """
    layers, done = mixtures(model), 0
    total = sum(len(mixture.router.weight) for mixture in layers.values())
    rows: list[list[Cost]] = []
    for mixture in layers.values():
        rows.append([])
        for expert in range(len(mixture.router.weight)):
            show("experts off", done, total)
            with without(mixture.router, expert):
                differences = losses_of(model, windows) - losses
            rows[-1].append(Cost(float(differences.mean()), stderr(differences, windows.document)))
            done += 1
    return rows


@contextmanager
def without(router: Router, expert: int) -> Iterator[None]:
    """Make a router pass over one of its experts."""
    whole = router.logits

    def logits(x: Tensor) -> Tensor:
        values = whole(x).clone()
        values[:, expert] = -torch.inf
        return values

    router.logits, bias = logits, router.bias  # type: ignore[method-assign]
    if bias is not None:  # or the bias alone could make it a choice
        router.bias = bias.index_fill(0, torch.tensor(expert, device=bias.device), -torch.inf)
    try:
        yield
    finally:
        del router.logits
        router.bias = bias


def stderr(differences: NDArray[np.float64], documents: NDArray[np.int64]) -> float:
    """Return the standard error of the mean of differences (N) by documents (N)."""
    sums = np.bincount(documents, weights=differences - differences.mean())
    groups = len(np.unique(documents))
    if groups < 2:
        return math.nan
    return math.sqrt(groups / (groups - 1) * float((sums**2).sum())) / len(differences)

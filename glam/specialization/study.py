"""The study of a checkpoint's experts: what each takes, against chance and random routers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glam.model.decoder import Glam
from glam.specialization import measure
from glam.specialization.measure import Counts, Floats, Score
from glam.specialization.observe import Labels, Show, mixtures, observe
from glam.specialization.switch_off import Cost, costs
from glam.specialization.windows import CLASSES, Windows, position_octaves

FREQUENT = 200
"""Most frequent tokens, within each of which the domain is looked at again."""

LABELS = ("domain", "token_class", "position")

SAME_TOKEN = "domain_of_same_token"
"""Whether experts tell the domain once the token is known: over the most frequent tokens."""

EXAMPLES = 8
"""Tokens that stand for what an expert takes."""


@dataclass(frozen=True)
class Specialty:
    """What the experts of a layer take, by one label.

    Attributes:
        labels: names of the L labels.
        counts: assignments by expert and label (E, L).
        score: how much the expert tells of the label.
        divergence: of each expert's labels from those of all, in nats (E).
        p: of each divergence, corrected by Holm's method over the experts of all layers (E).
    """

    labels: tuple[str, ...]
    counts: Counts
    score: Score
    divergence: Floats
    p: Floats

    @property
    def shares(self) -> Floats:
        """Share of each label in what an expert takes (E, L); 0 for an idle expert."""
        rows = np.maximum(1, self.counts.sum(1, keepdims=True))
        return np.asarray(self.counts / rows, np.float64)

    @property
    def lift(self) -> Floats:
        """Shares over those of all experts together (E, L)."""
        base = self.counts.sum(0) / max(1, self.counts.sum())
        return self.shares / np.where(base > 0, base, 1.0)


@dataclass(frozen=True)
class LayerStudy:
    """The experts of one layer.

    Attributes:
        layer: number of the layer in the decoder, from 1.
        load: share of the assignments of each expert (E).
        specialties: by label.
        same_token: `SAME_TOKEN`.
        tokens: the tokens that mark each expert, as text, the first most.
        costs: of switching each expert off; empty if that was not tried.
    """

    layer: int
    load: Floats
    specialties: dict[str, Specialty]
    same_token: Score
    tokens: list[list[str]]
    costs: list[Cost]

    @property
    def scores(self) -> dict[str, Score]:
        """All scores of the layer by name."""
        own = {name: specialty.score for name, specialty in self.specialties.items()}
        return {**own, SAME_TOKEN: self.same_token}


@dataclass(frozen=True)
class Study:
    """The experts of a checkpoint.

    Attributes:
        step: optimizer steps of the checkpoint.
        loss: of the windows, in nats per token.
        layers: of each mixture layer.
        experts: what each token of each layer was sent to, (N, S, K) by layer.
    """

    step: int
    loss: float
    layers: list[LayerStudy]
    experts: list[NDArray[np.int16]]


@dataclass(frozen=True)
class Plan:
    """How a study is made.

    Attributes:
        permutations: m of each test.
        routers: random routers to compare with.
        off_windows: windows on which experts are switched off; 0 leaves it out.
        seed: of permutations and random routers.
    """

    permutations: int
    routers: int
    off_windows: int
    seed: int


def study(
    model: Glam, step: int, windows: Windows, pieces: Sequence[str], plan: Plan, show: Show
) -> Study:
    """Study the experts of a model on validation text.

    Args:
        model: a mixture, in evaluation, dropless.
        step: optimizer steps it was trained for.
        windows: of validation text.
        pieces: text of each token of the vocabulary.
        plan: how.
        show: shows the progress.
    """
    tests = _Tests(windows, plan)
    seen = observe(model, windows, tests.labels, routers=plan.routers, seed=plan.seed, show=show)
    prices: list[list[Cost]] = [[] for _ in seen.experts]
    if plan.off_windows:
        off = windows.first(plan.off_windows)
        prices = costs(model, off, seen.losses[: plan.off_windows], show)
    layers = []
    for index, (number, mixture) in enumerate(mixtures(model).items()):
        show("permutations", index, len(seen.experts))
        experts, random = seen.experts[index], seen.random[index]
        n_experts = len(mixture.router.weight)
        layers.append(
            LayerStudy(
                number,
                np.bincount(experts.ravel(), minlength=n_experts) / experts.size,
                tests.specialties(experts, n_experts, random),
                tests.same_token(experts, n_experts, random[SAME_TOKEN]),
                marks(experts, windows, n_experts, pieces),
                prices[index],
            )
        )
    return Study(step, float(seen.losses.mean()), corrected(layers), seen.experts)


class _Tests:
    """The labels of the windows, and the tests of what experts tell of them.

    Attributes:
        labels: of the tokens, by name. Those of `SAME_TOKEN` are pairs of one of the
            most frequent tokens and a domain, and one more for all other tokens.
    """

    def __init__(self, windows: Windows, plan: Plan) -> None:
        self.windows, self.plan = windows, plan
        tokens, length = windows.tokens[:, :-1], windows.size[1]
        octaves, positions = position_octaves(length)
        self.names = {"domain": windows.domains, "token_class": CLASSES, "position": octaves}
        domain = np.repeat(windows.domain[:, None], length, axis=1)
        counts = np.bincount(tokens.ravel())
        frequent = np.argsort(-counts, kind="stable")[: min(FREQUENT, np.count_nonzero(counts))]
        rank = np.full(len(counts), len(frequent))
        rank[frequent] = np.arange(len(frequent))
        self.frequent, self.rank = len(frequent), rank[tokens]
        pairs = np.minimum(self.rank * len(windows.domains) + domain, self._pairs)
        self.labels = {
            "domain": Labels(len(windows.domains), domain),
            "token_class": Labels(len(CLASSES), windows.classes),
            "position": Labels(len(octaves), np.broadcast_to(positions, domain.shape).copy()),
            SAME_TOKEN: Labels(self._pairs + 1, pairs),
        }

    @property
    def _pairs(self) -> int:
        return self.frequent * len(self.windows.domains)

    def specialties(
        self, experts: NDArray[np.int16], n_experts: int, random: dict[str, Counts]
    ) -> dict[str, Specialty]:
        """Return what experts (N, S, K) take by each label; p is not corrected yet."""
        return {name: self._specialty(name, experts, n_experts, random[name]) for name in LABELS}

    def _specialty(
        self, name: str, experts: NDArray[np.int16], n_experts: int, random: Counts
    ) -> Specialty:
        labels, names, plan = self.labels[name].tokens, self.names[name], self.plan
        counts = measure.table(experts, labels, n_experts, len(names))
        permuted: Counts | Floats
        if name == "domain":
            cells = experts.astype(np.int64)
            permuted = np.concatenate(list(self._permuted(cells, n_experts)))
        else:
            permuted = measure.shifted_within_windows(
                experts, labels, n_experts, len(names), plan.permutations, plan.seed
            )
        own, others = measure.divergences(counts), measure.divergences(permuted)
        score = measure.score_of(
            float(measure.uncertainty_coefficient(counts)),
            measure.uncertainty_coefficient(permuted),
            measure.uncertainty_coefficient(random),
        )
        p = (1 + (others >= own).sum(0)) / (1 + len(permuted))
        return Specialty(names, counts, score, own, p)

    def same_token(self, experts: NDArray[np.int16], n_experts: int, random: Counts) -> Score:
        """Return how much experts (N, S, K) tell of the domain once the token is known."""
        shape, pairs = (
            (n_experts, self.frequent, len(self.windows.domains)),
            self.labels[SAME_TOKEN],
        )
        counts = measure.table(experts, pairs.tokens, n_experts, pairs.number)
        # Tokens that are not frequent are in a cell of their own, which is left out.
        cells = experts.astype(np.int64) * (self.frequent + 1) + self.rank[..., None]
        tables = (
            chunk.reshape(-1, n_experts, self.frequent + 1, shape[-1])[:, :, :-1]
            for chunk in self._permuted(cells, n_experts * (self.frequent + 1))
        )
        return measure.score_of(
            float(measure.conditional_coefficient(counts[:, :-1].reshape(shape))),
            np.concatenate([measure.conditional_coefficient(chunk) for chunk in tables]),
            measure.conditional_coefficient(random[:, :, :-1].reshape(-1, *shape)),
        )

    def _permuted(self, cells: NDArray[np.int64], n_cells: int) -> Iterator[Floats]:
        """Yield tables of cells (N, S, K) and domains, permuted over documents."""
        document, domain = self.windows.document, self.windows.domain
        documents = int(document.max()) + 1
        places = document[:, None, None] * n_cells + cells
        by_document = np.bincount(places.ravel(), minlength=documents * n_cells)
        labels = np.zeros(documents, np.int64)
        labels[document] = domain
        yield from measure.permuted_over_documents(
            by_document.reshape(documents, n_cells),
            labels,
            len(self.windows.domains),
            self.plan.permutations,
            self.plan.seed,
        )


def corrected(layers: list[LayerStudy]) -> list[LayerStudy]:
    """Return the layers with the p of each label corrected over the experts of all layers."""
    for name in LABELS:
        p = measure.holm(np.concatenate([layer.specialties[name].p for layer in layers]))
        ends = np.cumsum([len(layer.load) for layer in layers])
        for layer, own in zip(layers, np.split(p, ends[:-1]), strict=True):
            layer.specialties[name] = replace(layer.specialties[name], p=own)
    return layers


def marks(
    experts: NDArray[np.int16], windows: Windows, n_experts: int, pieces: Sequence[str]
) -> list[list[str]]:
    """Return the tokens that mark each expert: those with the largest terms of its divergence."""
    counts = measure.table(experts, windows.tokens[:, :-1], n_experts, len(pieces))
    share = counts / np.maximum(1, counts.sum(1, keepdims=True))
    base = counts.sum(0) / counts.sum()
    ratio = np.divide(share, base, out=np.ones_like(share), where=share > 0)
    terms = share * np.log(ratio)
    best = np.argsort(-terms, axis=1, kind="stable")[:, :EXAMPLES]
    return [
        [pieces[token] for token in row if terms[expert, token] > 0]
        for expert, row in enumerate(best)
    ]

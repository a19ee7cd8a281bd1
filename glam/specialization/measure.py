"""How much a token's expert tells of a label of it: mutual information, and chance.

Counts are a table (E, L) of assignments by expert and label. With p(e, l) its shares,
    I = sum over e of p(e) * D_e,  D_e = sum over l of p(l|e) ln(p(l|e) / p(l))
is the mutual information (Shannon 1948) as a mean of the experts' Kullback-Leibler divergences, and
    U = I / H(l)
the uncertainty coefficient (Theil 1970): the share of the label's entropy that the expert removes.
Worked: of two experts of equal load, one takes three quarters code and a quarter prose, the other
the reverse. D = 3/4 ln(3/2) + 1/4 ln(1/2) = 0.1308 nats each, H = ln 2 = 0.6931, U = 0.1887.

Neighboring tokens are alike, so they are no independent draws, and a chi-squared test would call
anything significant. By chance is instead what remains of U once labels are
- permuted over whole documents, for the domain;
- shifted in a circle within each window, by a random number of tokens each, for labels that change
  from token to token (Harris, arXiv:2012.06862).
p = (1 + b) / (1 + m), where b of m permutations reach the value (Phipson and Smyth 2010), and over
the experts p is corrected by Holm's method (1979).
Legend: E experts, L labels, D documents, N windows, S tokens of a window, K experts per token.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

TABLE_BYTES = 64_000_000
"""Memory for the tables of permutations that are computed at once."""


@dataclass(frozen=True)
class Score:
    """An uncertainty coefficient beside what chance and untrained routers reach.

    Attributes:
        value: U, 0 to 1.
        chance: mean of U over permutations.
        p: of U, by the permutations.
        random: mean of U over routers with random weights; NaN if none were tried.
        random_sd: its standard deviation over these routers.
        random_p: share of random routers with at least this U, as p is.
    """

    value: float
    chance: float
    p: float
    random: float
    random_sd: float
    random_p: float

    @property
    def effect(self) -> float:
        """What training added: U above that of random routers."""
        return self.value - self.random


def score_of(value: float, permuted: Floats, random: Floats) -> Score:
    """Return a score from the U of permutations (m) and of random routers (R)."""
    p = (1 + int((permuted >= value).sum())) / (1 + len(permuted))
    if not len(random):
        return Score(value, float(permuted.mean()), p, *3 * [float("nan")])
    random_p = (1 + int((random >= value).sum())) / (1 + len(random))
    spread = float(random.std(ddof=1)) if len(random) > 1 else float("nan")
    return Score(value, float(permuted.mean()), p, float(random.mean()), spread, random_p)


def divergences(counts: NDArray[Any]) -> Floats:
    """Return D_e in nats of tables of counts (..., E, L): (..., E); 0 for an idle expert."""
    counts = counts.astype(np.float64)
    base = counts.sum(-2, keepdims=True) / np.maximum(1, counts.sum((-2, -1), keepdims=True))
    share = counts / np.maximum(1, counts.sum(-1, keepdims=True))
    ratio = np.divide(share, base, out=np.ones_like(share), where=share > 0)
    return np.asarray((share * np.log(ratio)).sum(-1), np.float64)


def mutual_information(counts: NDArray[Any]) -> Floats:
    """Return I in nats of tables of counts (..., E, L): (...)."""
    load = counts.sum(-1) / np.maximum(1, counts.sum((-2, -1)))[..., None]
    return np.asarray((load * divergences(counts)).sum(-1), np.float64)


def label_entropy(counts: NDArray[Any]) -> Floats:
    """Return H(l) in nats of tables of counts (..., E, L): (...)."""
    base = counts.sum(-2) / np.maximum(1, counts.sum((-2, -1)))[..., None]
    return np.asarray(-(base * np.log(np.where(base > 0, base, 1.0))).sum(-1), np.float64)


def uncertainty_coefficient(counts: NDArray[Any]) -> Floats:
    """Return U of tables of counts (..., E, L): (...); 0 where there is only one label."""
    information, entropy = mutual_information(counts), label_entropy(counts)
    return np.divide(information, entropy, out=np.zeros_like(information), where=entropy > 0)


def conditional_coefficient(counts: NDArray[Any]) -> Floats:
    """Return I(e; l | x) / H(l | x) of tables (..., E, X, L): (...).

    It is the share of the label's entropy that the expert removes once x is known. Where every x
    has a label of its own, nothing is left to remove, and it is 0.
    """
    counts = np.moveaxis(counts, -2, -3)
    weight = counts.sum((-2, -1))
    information = (weight * mutual_information(counts)).sum(-1)
    entropy = (weight * label_entropy(counts)).sum(-1)
    nothing = np.zeros_like(information)
    return np.asarray(np.divide(information, entropy, out=nothing, where=entropy > 0), np.float64)


def table(experts: NDArray[Any], labels: NDArray[Any], n_experts: int, n_labels: int) -> Counts:
    """Return the counts (E, L) of assignments (..., K) whose tokens have these labels (...)."""
    cells = experts.astype(np.int64) * n_labels + labels[..., None]
    counts = np.bincount(cells.ravel(), minlength=n_experts * n_labels)
    return np.asarray(counts, np.int64).reshape(n_experts, n_labels)


def permuted_over_documents(
    by_document: Counts, labels: NDArray[Any], n_labels: int, rounds: int, seed: int
) -> Iterator[Floats]:
    """Yield tables (chunk, C, L) with the labels of documents permuted.

    Args:
        by_document: assignments by document and cell (D, C); a cell is an expert, or a pair of one
            and something else.
        labels: label of each document (D).
        n_labels: L.
        rounds: permutations in all.
        seed: of their generator.
    """
    generator, one_hot = np.random.default_rng(seed), np.eye(n_labels)[labels]
    documents, cells = by_document.shape
    chunk = max(1, TABLE_BYTES // (8 * n_labels * cells))
    for begin in range(0, rounds, chunk):
        orders = [generator.permutation(documents) for _ in range(min(chunk, rounds - begin))]
        permuted = one_hot[np.stack(orders)].transpose(1, 0, 2).reshape(documents, -1)
        tables = by_document.T.astype(np.float64) @ permuted
        yield tables.reshape(cells, -1, n_labels).transpose(1, 0, 2)


def shifted_within_windows(
    experts: NDArray[Any],
    labels: NDArray[Any],
    n_experts: int,
    n_labels: int,
    rounds: int,
    seed: int,
) -> Counts:
    """Return tables (rounds, E, L), labels of each window shifted in a circle by random numbers.

    The table of a window under each of its S shifts is counted once, some windows at a time.

    Args:
        experts: of each token (N, S, K).
        labels: of each token (N, S).
        n_experts: E.
        n_labels: L.
        rounds: permutations.
        seed: of their generator.
    """
    (windows, length), cells = labels.shape, n_experts * n_labels
    shifts = np.random.default_rng(seed).integers(0, length, size=(rounds, windows))
    tables = np.zeros((rounds, cells), np.int64)
    chunk = max(1, TABLE_BYTES // (4 * length * cells))
    for begin in range(0, windows, chunk):
        own = slice(begin, min(windows, begin + chunk))
        count = own.stop - own.start
        first = np.arange(count)[:, None, None] * cells + experts[own].astype(np.int64) * n_labels
        by_shift = np.empty((length, count, cells), np.int32)
        for shift in range(length):
            places = first + np.roll(labels[own], -shift, axis=1)[..., None]
            by_shift[shift] = np.bincount(places.ravel(), minlength=count * cells).reshape(
                count, cells
            )
        rows = np.arange(count)
        for round_, drawn in enumerate(shifts[:, own]):
            tables[round_] += by_shift[drawn, rows].sum(0)
    return tables.reshape(rounds, n_experts, n_labels)


def holm(p: NDArray[Any]) -> Floats:
    """Return p values corrected for their number by Holm's method (Scand. J. Stat. 6:65, 1979).

    Of n sorted values the i-th is multiplied by n + 1 - i, and none is below the one before.
    Worked: 0.01, 0.04, 0.03 become 0.03, 0.06, 0.06.
    """
    order = np.argsort(p, kind="stable")
    scaled = np.minimum(1.0, p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(scaled)
    return corrected

"""Published scaling laws: the loss of a model after its tokens, and the tokens it needs for a loss.

Every law here has the form floor(model) + b / D^beta, so the tokens for a loss have a closed form.
The constants are in `scaling_laws.toml`, each with its paper, its range and its status.

A mixture of experts is described by its active and total parameters, by its expansion (total over
active width of a mixture layer) and by its granularity (experts that one token passes through). A
dense law uses its effective parameters by Clark et al. (arXiv:2202.01169).
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from energy import shape as shapes
from energy.errors import InputError, nearest
from energy.facts import catalog
from energy.shape import Shape

DEFAULT_LAW = "besiroglu-2024"
"""The law that is used where none is named."""

MOST_TOKENS = 1e16
"""More counts as never: all text of the indexed web is some 5e14 tokens (arXiv:2211.04325)."""


@dataclass(frozen=True)
class Size:
    """The sizes of a model that the laws depend on.

    Attributes:
        total: parameters.
        active: parameters that one token passes through.
        embedding: parameters of the embedding, a part of both.
        expansion: total over active width of a mixture layer; 1 is dense.
        granularity: experts that one token passes through; 1 is dense.
    """

    total: float
    active: float
    embedding: float
    expansion: float = 1.0
    granularity: float = 1.0

    @property
    def dense(self) -> bool:
        """Whether every token passes through every parameter."""
        return self.expansion <= 1.0


@dataclass(frozen=True)
class Law:
    """A law; a dense one with the routing from which a mixture's effective parameters follow.

    Attributes:
        name: of the row, with that of the routing where there is one.
        row: of `scaling_laws.toml`.
        routing: row of the routing, for a dense law.
    """

    name: str
    row: dict[str, Any]
    routing: dict[str, Any] | None = None

    @property
    def source(self) -> str:
        """Papers and the status of the constants."""
        rows = [self.row] + ([self.routing] if self.routing else [])
        return "; ".join(f"{row['title']}: {row['source']} ({row['status']})" for row in rows)

    def loss(self, size: Size, tokens: float) -> float:
        """Loss in nat per token.

        Chinchilla, 70B and 1.4T tokens, by Hoffmann et al.: 1.69 + 0.0838 + 0.163 = 1.937.
        """
        floor, b, beta = self._terms(size)
        return float(floor + b / tokens**beta)

    def tokens(self, size: Size, loss: float) -> float | None:
        """Tokens after which a model reaches a loss; None where it never does."""
        floor, b, beta = self._terms(size)
        if loss <= floor:
            return None
        exponent = math.log(b / (loss - floor)) / beta
        return math.exp(exponent) if exponent < math.log(MOST_TOKENS) else None

    def decades_outside(self, size: Size, tokens: float) -> float:
        """Powers of ten by which a run is outside the range that the law was fitted to."""
        decades = _decades_outside(self.parameters(size), self.row["parameters"])
        decades += _decades_outside(tokens, self.row["tokens"])
        expansion = self.row.get("expansion")
        if self.routing is not None and not size.dense:
            decades += _decades_outside(size.active, self.routing["parameters"])
            expansion = self.routing["expansion"]
        if expansion is not None and not size.dense:
            decades += _decades_outside(size.expansion, expansion)
        return decades

    def parameters(self, size: Size) -> float:
        """Parameters as the law counts them: effective or total, all or without embedding."""
        if self.row["form"] == "dense":
            return effective_parameters(size, self.routing)
        embedding = size.embedding if self.row["counts"] == "without embedding" else 0.0
        return size.total - embedding

    def _terms(self, size: Size) -> tuple[float, float, float]:
        """The loss with infinite tokens, and b and beta of the term of the tokens."""
        n = self.parameters(size)
        c: dict[str, float] = self.row["constants"]
        if self.row["form"] == "granular" and size.dense:
            c = self.row["dense"]
        floor = c["e"] + c["a"] / n ** c["alpha"]
        if self.row["form"] == "granular" and not size.dense:
            floor += c["g"] / size.granularity ** c["gamma"] / n ** c["alpha"]
        if self.row["form"] == "sparse":
            share = size.active / size.total
            floor += c["c"] / share ** c["lambda"]
            floor += c["d"] / (share ** c["delta"] * n ** c["gamma"])
        return floor, c["b"], c["beta"]


def size_of(shape: Shape) -> Size:
    """The sizes of a shape that the laws depend on.

    GLaM 64B/64E: 1.16e12 parameters, 9.66e10 active, expansion 64 / 2 = 32, granularity 2.
    """
    parts = {name: float(count) for name, count in shapes.parameters(shape).items()}
    # The laws were fitted to counts with both embedding matrices.
    active = float(shapes.total(shapes.active_parameters(shape, "with-both-embeddings")))
    total = sum(parts.values())
    if float(shape.n_moe_layers) == 0 or float(shape.n_experts) <= 1:
        return Size(total, total, parts["embedding"])
    shared = float(shape.n_shared_experts)
    passed = float(shape.top_k) + shared
    return Size(
        total, active, parts["embedding"], (float(shape.n_experts) + shared) / passed, passed
    )


def dense_twin(size: Size) -> str | None:
    """The dense model of the catalog with about the active parameters of a mixture.

    None for a dense model, and where none is within a factor of 2. GLaM 64B/64E, 96.6B active: one
    of 48B to 193B.
    """
    if size.dense:
        return None
    dense = {row.name: size_of(row.shape) for row in catalog.models()}
    apart = {
        name: abs(math.log(other.active / size.active))
        for name, other in dense.items()
        if other.dense
    }
    nearest_one = min(apart, key=lambda name: apart[name])
    return nearest_one if apart[nearest_one] <= math.log(2) else None


def effective_parameters(size: Size, routing: dict[str, Any] | None) -> float:
    """Parameters of the dense model with the loss of a mixture: Clark et al. 2022, equation 11.

    5M active and 128 experts, S-BASE: 51M (the paper says 55M). From the cutoff on, routing does
    not help: then the active parameters count.
    """
    if size.dense or routing is None:
        return size.active
    c = routing["constants"]
    bend = -c["b"] / math.log10(c["cutoff"])
    spread = 1 / (1 / c["e_start"] - 1 / c["e_max"])
    expanded = 1 / (1 / (size.expansion - 1 + spread) + 1 / c["e_max"])
    n, e, e_dense = (math.log10(value) for value in (size.active, expanded, c["e_start"]))
    loss = c["a"] * n + c["b"] * e + bend * n * e
    effective = (loss - c["b"] * e_dense) / (c["a"] + bend * e_dense)
    return max(size.active, float(10**effective))


def of_batches() -> dict[str, Any]:
    """The law of the critical batch (`simulator.quality.critical_batch`)."""
    row: dict[str, Any] = _table()["critical_batch"]
    return row


def laws() -> tuple[Law, ...]:
    """Every law; a dense one once with each routing."""
    every = []
    for name, row in _table()["law"].items():
        if row["form"] == "dense":
            every += [
                Law(f"{name} with {routing_name}", row, routing)
                for routing_name, routing in _table()["routing"].items()
            ]
        else:
            every.append(Law(name, row))
    return tuple(every)


def law(name: str) -> Law:
    """A law by its name; the name of a dense law alone means the one with the first routing.

    Raises:
        InputError: there is no such law.
    """
    for candidate in laws():
        if candidate.name == name or candidate.name.startswith(f"{name} with "):
            return candidate
    names = [candidate.name for candidate in laws()]
    raise InputError("expected a law of loss for --law", name, nearest(name, names))


def outside_factor(decades: float) -> float:
    """How far tokens at equal loss may be off outside the range of a law: our assumption."""
    return float(_table()["outside_factor_per_decade"] ** decades)


@dataclass(frozen=True)
class Check:
    """Two runs that were published as about equal, and what a law says about them.

    Attributes:
        first: model of the first run.
        first_tokens: its tokens.
        second: model of the second run.
        published: tokens at which the second was about equal.
        by_law: tokens at which it has the loss of the first by the law; None means never.
        source: citation.
    """

    first: str
    first_tokens: float
    second: str
    published: float
    by_law: float | None
    source: str


def checks(scaling_law: Law) -> list[Check]:
    """What a law says about the pairs of runs that were published as about equal."""
    return [_check(scaling_law, row) for row in _table()["check"]]


def _check(scaling_law: Law, row: dict[str, Any]) -> Check:
    first, second = (size_of(catalog.model(row[key]).shape) for key in ("first", "second"))
    return Check(
        first=row["first"],
        first_tokens=row["first_tokens"],
        second=row["second"],
        published=row["second_tokens"],
        by_law=scaling_law.tokens(second, scaling_law.loss(first, row["first_tokens"])),
        source=row["source"],
    )


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((files("simulator.facts") / "scaling_laws.toml").read_text())


def _decades_outside(value: float, fitted_range: list[float]) -> float:
    low, high = fitted_range
    return max(0.0, math.log10(low / value), math.log10(value / high))

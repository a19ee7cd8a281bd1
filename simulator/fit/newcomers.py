"""What to expect of a publisher that no fit saw: how much slower, how uncertain, what a row tells.

Rows of one publisher share their bias: it is most of a row's error, and no refit without single
rows shows it. So a fold leaves out a publisher, begins at the priors, and predicts what it left
out. From these errors, and from a table that no fit saw, follow per kind of model:

- the slowdown of a framework that is not known, and of software that is tuned less than vendors';
- the band of a new publisher, each one counted once and the new one as one more;
- the spread between and within publishers, with which one measured row scales all others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.facts.kinds import KINDS
from simulator.facts.software import FIRST, tuned_priors
from simulator.fit.folds import BAND, MANY_MODELS, ends, weighted_ends
from simulator.fit.from_rows import OnProgress, fit_published, measured_rates
from simulator.fit.pool import DEFAULT_TUNED, SIGMAS, Pool
from simulator.fit.throughput import evaluate
from simulator.physics.constants import Constants
from simulator.published.candidates import Candidates, candidates
from simulator.published.shipped import calibration_table
from simulator.published.throughput import ThroughputRow, read_throughput

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Unseen:
    """Errors of rows whose publisher no fit saw.

    Attributes:
        rows: the rows.
        errors: ln(predicted / measured), without any slowdown of newcomers (rows).
        known: whether the fit had rows of the row's framework (rows).
    """

    rows: tuple[ThroughputRow, ...]
    errors: Array
    known: NDArray[np.bool_]

    def joined(self, other: Unseen) -> Unseen:
        """Both sets of rows as one."""
        return Unseen(
            (*self.rows, *other.rows),
            np.concatenate([self.errors, other.errors]),
            np.concatenate([self.known, other.known]),
        )

    def take(self, chosen: NDArray[np.bool_]) -> Unseen:
        """The rows of a mask."""
        rows = tuple(row for row, kept in zip(self.rows, chosen, strict=True) if kept)
        return Unseen(rows, self.errors[chosen], self.known[chosen])

    def usual(self) -> NDArray[np.bool_]:
        """Rows that may be judged by: complete enough, measured, and no sweep of layouts."""
        counts = Counter(row.source for row in self.rows)
        sound = [row.tier != "C" and counts[row.source] <= MANY_MODELS for row in self.rows]
        return np.array(sound, bool) & np.isfinite(self.errors)


def publishers_left_out(
    rows: Sequence[ThroughputRow], on_progress: OnProgress = lambda _: None
) -> Unseen:
    """Fit anew, from the priors, without each publisher, and predict its rows.

    Args:
        rows: of all publishers; those without a measured rate have no error.
        on_progress: called with each publisher.
    """
    names = np.array([row.publisher for row in rows])
    measured = measured_rates(rows)
    plans = candidates(rows, Constants())
    errors, known = np.full(len(rows), np.nan), np.zeros(len(rows), bool)
    for number, name in enumerate(distinct := sorted(set(names)), start=1):
        on_progress(f"publisher {number} of {len(distinct)}: {name}")
        out = np.flatnonzero((names == name) & np.isfinite(measured))
        kept = np.flatnonzero((names != name) & np.isfinite(measured))
        if len(out) and len(kept):
            kept_rows = [rows[i] for i in kept.tolist()]
            pool = fit_published(kept_rows, plans=plans.of_rows(kept)).fit.pool
            unseen = of_pool([rows[i] for i in out.tolist()], pool, plans.of_rows(out))
            errors[out], known[out] = unseen.errors, unseen.known
    return Unseen(tuple(rows), errors, known)


def of_pool(rows: Sequence[ThroughputRow], pool: Pool, plans: Candidates | None = None) -> Unseen:
    """The errors of a pool's predictions of rows that it was not fitted to.

    Args:
        rows: measured ones.
        pool: the constants.
        plans: the candidates of the rows, if they are at hand.
    """
    bare = replace(pool, newcomers={}, own={})
    errors = np.log(evaluate(rows, bare, plans).tokens_per_s / measured_rates(rows))
    known = [pool.has_seen(framework=row.framework) for row in rows]
    return Unseen(tuple(rows), errors, np.array(known, bool))


def calibration_rows(pool: Pool) -> Unseen:
    """The measured rows of the table that is in no fit, with the errors of a pool."""
    rows = read_throughput(calibration_table()).rows
    return of_pool([row for row in rows if row.measured], pool)


def newcomers(left_out: Unseen, calibration: Unseen) -> dict[str, Any]:
    """Slowdowns, bands and spreads by kind of model: the section of a constants file.

    Args:
        left_out: of the fitted rows, each without its publisher.
        calibration: of rows that are in no fit.
    """
    less_tuned = {word for word, (slower, _) in tuned_priors().items() if slower > 1}
    measured_as = {row.framework: row.tuned for row in left_out.rows if row.tuned in less_tuned}
    table: dict[str, Any] = {"measured_as": measured_as}
    medians = {}
    generations = {row.chip.architecture for row in left_out.rows}
    for kind in KINDS:
        of_kind = [
            part.take(part.usual() & np.array([row.kind == kind for row in part.rows]))
            for part in (left_out, calibration)
        ]
        new = of_kind[1]
        seen = np.array([row.chip.architecture in generations for row in new.rows], bool)
        slower = _slowdowns(*of_kind, of_known_chips=new.take(seen))
        both = of_kind[0].joined(of_kind[1])
        table[kind] = {"slower": slower, **_spreads(both, slower)}
        medians[kind] = _medians(replace(both, errors=shifted(both, slower)))
    return table | {"other_kind": _other_kind(medians["dense"], medians["moe"])}


def _other_kind(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    """What a publisher's bias in one kind of model says of its bias in the other.

    The slope through zero of the biases of those that have both, with one more of no slope.
    """
    pairs = np.array([(first[name], second[name]) for name in first if name in second])
    if not len(pairs):
        return {"share": 0.0, "publishers": 0}
    squares = float((pairs[:, 0] ** 2).sum())
    slope = float(pairs.prod(axis=1).sum()) / (squares * (1 + 1 / len(pairs)))
    return {"share": round(min(max(slope, 0.0), 1.0), 4), "publishers": len(pairs)}


def _slowdowns(
    left_out: Unseen, calibration: Unseen, *, of_known_chips: Unseen
) -> dict[str, dict[str, float]]:
    """Logarithms of the slowdown by how tuned software is, with the rows that it came from.

    That of an unknown framework comes from the rows of the calibration split, on chips whose
    generation the fit has: the error of another chip would be taken for the framework's. All words
    have few publishers: their medians move the prior, which is none for an unknown framework.
    """
    rows = of_known_chips.rows
    new = ~of_known_chips.known & np.array([row.tuned != FIRST for row in rows], bool)
    errors = of_known_chips.errors[new]
    medians = list(_medians(of_known_chips.take(new)).values())
    # Nobody who is unknown is taken to be faster than the tables that vendors tuned.
    middle = max(sum(medians) / (1 + len(medians)), 0.0)
    table = {DEFAULT_TUNED: _slowdown(middle, errors, len(medians))}
    both = left_out.joined(calibration)
    for word, (slower, factor) in tuned_priors().items():
        if slower > 1:
            of_word = both.take(np.array([row.tuned == word for row in both.rows], bool))
            medians = list(_medians(of_word).values())
            # A publisher's bias scatters by the width of the prior: each counts like the prior.
            value = (np.log(slower) + sum(medians)) / (1 + len(medians))
            table[word] = _slowdown(float(value), of_word.errors, len(medians))
            table[word]["sigma"] = round(float(np.log(factor) / (1 + len(medians)) ** 0.5), 4)
    return table


def _slowdown(value: float, errors: Array, publishers: int) -> dict[str, float]:
    """A slowdown, and the errors of its rows before and after it."""
    table = {"ln": round(value, 4), "rows": len(errors), "publishers": publishers}
    if len(errors):
        table |= {
            "median_abs_rel_error_before": _median_error(errors),
            "median_abs_rel_error_after": _median_error(errors - value),
        }
    return table


def _median_error(errors: Array) -> float:
    return round(float(np.median(np.abs(np.expm1(errors)))), 4)


def _medians(unseen: Unseen) -> dict[str, float]:
    by_publisher = defaultdict(list)
    for row, error in zip(unseen.rows, unseen.errors, strict=True):
        by_publisher[row.publisher].append(float(error))
    return {name: float(np.median(errors)) for name, errors in by_publisher.items()}


def _spreads(unseen: Unseen, slower: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The band of a new publisher, and the spreads between sources and within them."""
    profiled = unseen.take(np.array([row.tuned != FIRST for row in unseen.rows], bool))
    errors = shifted(profiled, slower)
    names = [row.publisher for row in profiled.rows]
    return {"new_publisher": band_of(-errors, names), **_given_one(profiled.rows, errors)}


def shifted(unseen: Unseen, slower: dict[str, dict[str, float]]) -> Array:
    """Errors after the slowdown that a newcomer of each row is predicted with (rows)."""
    shift = np.zeros(len(unseen.rows))
    for place, (row, known) in enumerate(zip(unseen.rows, unseen.known, strict=True)):
        if not known or row.tuned == FIRST:
            shift[place] = slower.get(row.tuned or DEFAULT_TUNED, {}).get("ln", 0.0)
    return np.asarray(unseen.errors - shift)


def band_of(values: Array, names: Sequence[str]) -> dict[str, float]:
    """80 % band of the value of one more publisher, and the publishers and rows behind it."""
    low, _, high = quantiles_of_new(values, names)
    return ends(low, high) | {"rows": len(values), "publishers": len(set(names))}


def quantiles_of_new(values: Sequence[float] | Array, names: Sequence[str]) -> tuple[float, ...]:
    """Quantiles of 10, 50 and 90 % of a value of a new group, from values of known groups.

    Values of one group are alike: each group counts as one, and the new one as one more that may
    lie beyond them all (two-layer conformal prediction, Dunn, Wasserman and Ramdas,
    arXiv:1809.07441).

    Args:
        values: of known groups.
        names: the group of each.
    """
    counts = Counter(names)
    ordered = sorted(zip(map(float, values), names, strict=True))
    weight = np.array([1 / counts[name] for _, name in ordered])
    reached = (np.cumsum(weight) - weight / 2) / (len(counts) + 1) + 0.5 / (len(counts) + 1)
    points = np.interp((BAND[0], 0.5, BAND[1]), reached, [value for value, _ in ordered])
    return tuple(float(point) for point in points)


def _given_one(rows: Sequence[ThroughputRow], errors: Array) -> dict[str, Any]:
    """Spread between sources and within them, and the band of a row where another is known.

    The error of a row is b + w: b of its source and chip, with the variance between^2, and w of its
    own, with within^2. So the mean product of two errors of one source and chip is between^2, and
    the mean square is the sum of both. Given a row with the error r, b is expected at

        r * between^2 / (between^2 + within^2)
    """
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        groups[row.source, row.chip.id].append(place)
    pairs = np.array([pair for places in groups.values() for pair in permutations(places, 2)])
    first, second = errors[pairs[:, 0]], errors[pairs[:, 1]]
    names = [rows[place].publisher for place in pairs[:, 0].tolist()]
    counts = Counter(names)
    weight = np.array([1 / counts[name] for name in names]) / len(counts)
    total = float((weight * first**2).sum())
    between = min(max(float((weight * first * second).sum()), 0.0), total)
    return {
        "between": round(between**0.5, 4),
        "within": round((total - between) ** 0.5, 4),
        "given_one": _band_of_known(between / total * first - second, names),
    }


def _band_of_known(values: Array, names: Sequence[str]) -> dict[str, float]:
    """80 % band of a row of a source that is known by another row.

    Its source lies no more beyond all others, so publishers count as one each and no new one does;
    as they are few, the ends are wider, as those of Student's distribution over the normal one:
    1 + (z^2 + 1) / (4 (n - 1)) with z = 1.2816 (Abramowitz and Stegun 26.7.5, first term).
    """
    counts = Counter(names)
    low, high = weighted_ends(values, np.array([1 / counts[name] for name in names]))
    wider = 1 + (SIGMAS**2 + 1) / (4 * max(len(counts) - 1, 1))
    return ends(low * wider, high * wider) | {"rows": len(values), "publishers": len(counts)}

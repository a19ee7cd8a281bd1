"""Watts by what a chip does: the busy-share model fitted to metered kernels, and judged by others.

Half of the shapes are fitted and the other half judges (`benchmarks.simulator.kernel_tables`). The
formula is the one that predicts a training step (`simulator.physics.power`); beside the shares of
its activities the rates are fitted at which a kind of kernel keeps a part of the chip busy.

    python -m benchmarks.simulator.kernels DIR [--write PAGE]

DIR holds the unpacked package. Exit code 5 if the shares in `energy/facts/data/kernel_watts.csv`
are not those of the fit.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.pages import markdown_table, print_table, write_between
from benchmarks.simulator.kernel_tables import (
    BYTES_PER_S,
    CHIP,
    FOLDER,
    TABLES,
    Kernels,
    read_kernels,
)
from energy.errors import ToleranceError
from energy.facts import catalog
from energy.facts.kernel_watts import kernel_watts
from energy.guard import guard
from simulator.fit.least_squares import Objective, descend, soft_l1
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.power import watts_of

MARKS = (
    "kernel errors: benchmarks.simulator.kernels",
    "kernel watts: benchmarks.simulator.kernels",
)

LEAST_READINGS = 6
"""Readings of the meter that a kernel needs to be fitted: fewer, and they scatter more than they
differ."""

READINGS = (1, 2, 3, 6, 9)
"""Least readings of the rows of the table."""

EDGES = (0.0, 0.05, 0.2, 0.4, 0.6, 1.01)
"""Of the groups of kernels, by shares of the peak and of the bandwidth."""

FEWEST = 10
"""Kernels of a group that is shown."""

SLACK = 0.01
"""How far the shares of the facts may be from those of the fit."""

NAMES = ("busy", "memory", "wait")
SHARES = len(NAMES)

START = np.log([0.85, 0.6, 0.3, *[0.3] * len(TABLES), 0.75])
"""Shares of watts as they are assumed elsewhere; rates that keep arithmetic busy by kind of kernel,
and memory."""

LOW = np.log([0.3, 0.05, 0.05, *[0.01] * len(TABLES), 0.3])
HIGH = np.log([1.0, 1.0, 1.0, *[1.0] * len(TABLES), 1.0])

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """What was fitted: logarithms of the numbers of `START`."""

    x: Array

    @property
    def shares(self) -> dict[str, float]:
        """Watts of busy arithmetic over design power; of memory and of waiting, over those."""
        return dict(zip(NAMES, np.exp(self.x[:SHARES]).tolist(), strict=True))

    def watts(self, kernels: Kernels) -> Array:
        """Modelled watts of kernels."""
        numbers = np.exp(self.x)
        kinds = dict(zip(TABLES, numbers[SHARES:-1], strict=True))
        reach = np.array([kinds[kind] for kind in TABLES])[_places(kernels)]
        busy, memory, wait = numbers[:SHARES]
        constants = Constants(busy_share=busy, memory_power_share=memory, wait_share=wait)
        chip = Hardware.from_chip(catalog.chip(CHIP), "bf16", constants)
        own = replace(
            chip,
            busy_w=busy * np.asarray(chip.limit_w),
            memory_power_share=memory,
            wait_share=wait,
        )
        moved = np.minimum(kernels.rate / BYTES_PER_S / numbers[-1], 1)
        return np.asarray(
            watts_of(np.minimum(kernels.share / reach, 1), moved, 0.0, own, constants), float
        )

    def errors(self, kernels: Kernels) -> Array:
        """Relative errors of watts, without their sign."""
        return np.asarray(np.abs(self.watts(kernels) / kernels.watts - 1))


def _places(kernels: Kernels) -> NDArray[np.int64]:
    """The place of each kernel's kind in the order of `TABLES`."""
    names = np.array(list(TABLES))
    order = np.argsort(names)
    return np.asarray(order[np.searchsorted(names[order], kernels.kind)])


def fitted(kernels: Kernels, free: NDArray[np.bool_] | None = None) -> Fit:
    """Fit kernels robustly.

    Args:
        kernels: to fit.
        free: which numbers may leave `START`; None is all of them.
    """
    moves = np.ones(len(START), bool) if free is None else free

    def residuals(x: Array) -> Array:
        return np.asarray(np.log(Fit(x).watts(kernels) / kernels.watts))

    def jacobian(x: Array, r: Array) -> Array:
        steps = np.where(x + 1e-4 > HIGH, -1e-4, 1e-4) * np.eye(len(x))
        columns = [
            (residuals(x + step) - r) / step[i] if moves[i] else np.zeros_like(r)
            for i, step in enumerate(steps)
        ]
        return np.stack(columns, axis=1)

    objective = Objective(
        residuals=residuals,
        jacobian=jacobian,
        loss=soft_l1(0.1),
        center=START,
        width=np.full(len(START), 3.0),
        clip=lambda x: np.clip(x, LOW, HIGH),
    )
    return Fit(descend(START, objective, iterations=60, least_gain=1e-7).x)


def assumed(kernels: Kernels) -> Fit:
    """The shares of watts that are assumed of other chips, with the rates fitted."""
    rates = np.arange(len(START)) >= SHARES
    return fitted(kernels, rates)


def error_rows(kernels: Kernels, fit: Fit, before: Fit) -> Iterator[tuple[str, ...]]:
    """Errors of the shapes that were not fitted, by readings of the meter and by kind."""
    judged = kernels.where(~kernels.fitted)
    for least in READINGS:
        name = f"{least} reading{'' if least == 1 else 's'} or more"
        yield _errors(name, judged.where(judged.readings >= least), fit, before)
    enough = judged.where(judged.readings >= LEAST_READINGS)
    for kind in TABLES:
        yield _errors(
            f"{kind}, {LEAST_READINGS} or more", enough.where(enough.kind == kind), fit, before
        )


def _errors(name: str, kernels: Kernels, fit: Fit, before: Fit) -> tuple[str, ...]:
    cells = [
        f"{np.median(error):.1%} / {np.quantile(error, 0.9):.1%}"
        for error in (before.errors(kernels), fit.errors(kernels))
    ]
    return (name, f"{len(kernels.watts):,}", *cells)


def group_rows(kernels: Kernels, fit: Fit) -> Iterator[tuple[str, ...]]:
    """Median watts of groups of kernels that were not fitted, measured and modelled."""
    judged = kernels.where(~kernels.fitted & (kernels.readings >= LEAST_READINGS))
    moved = judged.rate / BYTES_PER_S
    for kind in TABLES:
        for low, high in _pairs():
            cells = []
            for least, most in _pairs():
                own = judged.where(
                    (judged.kind == kind)
                    & _between(judged.share, low, high)
                    & _between(moved, least, most)
                )
                measured, modelled = (
                    (np.median(own.watts), np.median(fit.watts(own)))
                    if len(own.watts) >= FEWEST
                    else (0.0, 0.0)
                )
                cells.append(f"{measured:.0f} ({modelled:.0f})" if measured else "-")
            if set(cells) != {"-"}:
                yield (kind, _percent(low, high), *cells)


def _between(values: Array, low: float, high: float) -> NDArray[np.bool_]:
    return np.asarray((values >= low) & (values < high))


def _pairs() -> Iterator[tuple[float, float]]:
    yield from pairwise(EDGES)


def _percent(low: float, high: float) -> str:
    return f"{low:.0%} to {min(high, 1):.0%}"


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where the package was unpacked")
    parser.add_argument("--write", type=Path, help="page whose tables of kernels are replaced")
    options = parser.parse_args()
    guard(lambda: run(options.folder, options.write))


def run(folder: Path, page: Path | None) -> None:
    """Fit, judge, and compare with the facts.

    Raises:
        InputError: the tables are not in the folder.
        ToleranceError: the facts are not those of the fit.
    """
    kernels = read_kernels(folder / FOLDER)
    enough = kernels.where(kernels.fitted & (kernels.readings >= LEAST_READINGS))
    fit, before = fitted(enough), assumed(enough)
    tables = (
        (
            (
                "kernels of shapes that were not fitted",
                "kernels",
                "assumed shares",
                "fitted shares",
            ),
            list(error_rows(kernels, fit, before)),
        ),
        (
            ("kernels", "of the peak", *(f"bandwidth {_percent(*pair)}" for pair in _pairs())),
            list(group_rows(kernels, fit)),
        ),
    )
    for mark, (heads, rows) in zip(MARKS, tables, strict=True):
        print_table(heads, rows)
        if page:
            write_between(page, mark, markdown_table(heads, rows))
    judged = kernels.where(~kernels.fitted & (kernels.readings >= LEAST_READINGS))
    low, high = np.quantile(judged.watts / fit.watts(judged) - 1, [0.1, 0.9])
    print_table(
        ("fitted", ""),
        [(name, f"{value:.4f}") for name, value in fit.shares.items()]
        + [
            (f"busy at, {name}", f"{value:.3f}")
            for name, value in zip((*TABLES, "memory"), np.exp(fit.x[SHARES:]), strict=True)
        ]
        + [
            ("80 % of kernels", f"{low:.3f} to {high:.3f}"),
            ("fitted kernels", f"{len(enough.watts):,}"),
        ],
    )
    require_facts(fit)


def require_facts(fit: Fit) -> None:
    """Check that the facts are those of the fit.

    Raises:
        ToleranceError: they are not.
    """
    facts = kernel_watts(CHIP)
    known = (facts.busy_share, facts.memory_share, facts.wait_share) if facts else (0.0,) * SHARES
    there = dict(zip(NAMES, known, strict=True))
    if any(abs(there[name] - value) > SLACK for name, value in fit.shares.items()):
        raise ToleranceError(
            "expected the shares of energy/facts/data/kernel_watts.csv to be those of the fit",
            f"{there} there, {fit.shares} fitted",
            "write them there",
        )


if __name__ == "__main__":
    main()

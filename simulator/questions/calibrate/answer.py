"""The answers of `simulator calibrate`: a machine, or constants fitted to tables of throughput."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from energy.errors import InputError, MissingDataError
from simulator.fit.from_rows import OnProgress
from simulator.fit.machine import Machine, save_machine
from simulator.fit.pool import Pool, published_pool, save_pool
from simulator.fit.probe import calibrate as calibrate_machine
from simulator.fit.probe_rows import read_probe
from simulator.fit.refit import fit_anew, fit_newcomers, fit_own
from simulator.kit.answer import Answer
from simulator.physics.constants import PRIORS, Prior
from simulator.published.shipped import published_tables
from simulator.published.throughput import ThroughputRow, read_tables
from simulator.serving.constants import SERVING_PRIORS
from simulator.serving.fit import refit as refit_serving
from simulator.serving.fitted import Fitted as ServingFit
from simulator.serving.rows import Problem, read_serving

if TYPE_CHECKING:
    from simulator.terms import Term


class Fitted(Answer, ABC):
    """Fitted constants beside their priors."""

    @property
    @abstractmethod
    def values(self) -> Mapping[str, float]:
        """The constants by name."""

    @property
    @abstractmethod
    def not_identified(self) -> Mapping[str, str]:
        """Constants that the data do not determine, with the reason."""

    @property
    def priors(self) -> Mapping[str, Prior]:
        """The priors of the constants."""
        return PRIORS

    def terms(self) -> Mapping[str, Term]:
        """No terms: a fit is the minimum of its errors, not a product of other numbers."""
        return {}

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of a panel with a row for each constant."""
        return 7.0, 1.2 + 0.22 * len(self.values)


@dataclass(frozen=True, repr=False)
class FittedMachine(Fitted):
    """A machine fitted to its probe, and the file that it was written to."""

    machine: Machine
    path: Path | None = None

    @property
    def headline(self) -> str:
        """The machine and its rows."""
        return f"{self.machine.hardware.name}, {self.machine.provenance['rows']} timed operations"

    @property
    def values(self) -> Mapping[str, float]:
        """The constants by name."""
        return asdict(self.machine.constants)

    @property
    def not_identified(self) -> Mapping[str, str]:
        """Constants that the probe does not determine, with the reason."""
        reasons: Mapping[str, str] = self.machine.provenance["not_identified"]
        return reasons


@dataclass(frozen=True, repr=False)
class FittedConstants(Fitted):
    """Constants fitted to rows of throughput, and the file that they were written to."""

    pool: Pool
    path: Path | None = None

    @property
    def headline(self) -> str:
        """How many constants and rows."""
        rows, own = (int(self.pool.provenance.get(name, 0)) for name in ("rows", "own_rows"))
        counted = f"{len(self.pool.world)} constants, {rows:,} row{'s' * (rows != 1)}"
        return counted + (f" of publishers, {own:,} of your own" if own else "")

    @property
    def values(self) -> Mapping[str, float]:
        """The world constants by name."""
        return self.pool.world

    @property
    def not_identified(self) -> Mapping[str, str]:
        """Constants that the rows do not determine, with the reason."""
        reasons: Mapping[str, str] = self.pool.provenance.get("not_identified", {})
        return reasons


@dataclass(frozen=True, repr=False)
class FittedServing(Fitted):
    """Constants of serving fitted to rows of served models, and the file they were written to."""

    serving: ServingFit
    path: Path | None = None

    @property
    def headline(self) -> str:
        """How many constants and rows."""
        rows = self.serving.rows
        return f"{len(self.values)} constants of serving, {rows:,} row{'s' * (rows != 1)}"

    @property
    def values(self) -> Mapping[str, float]:
        """The constants by name."""
        return asdict(self.serving.constants)

    @property
    def priors(self) -> Mapping[str, Prior]:
        """The priors of the constants."""
        return SERVING_PRIORS

    @property
    def not_identified(self) -> Mapping[str, str]:
        """Constants at the end of their range."""
        ends = {name: (prior.low, prior.high) for name, prior in SERVING_PRIORS.items()}
        return {
            name: "at the end of its range"
            for name, value in self.values.items()
            if not ends[name][0] * 1.0001 < value < ends[name][1] * 0.9999
        }


def calibrate_serving(
    table: Path | str, out: Path | str | None = None, on_progress: OnProgress | None = None
) -> FittedServing:
    """Fit the constants of serving, and bands with families and cases left out.

    Args:
        table: of served models, or the word published.
        out: file to write.
        on_progress: called with a line on what is being done.

    Raises:
        InputError: the file is not what it should be.
        MissingDataError: there are too few families.
    """
    problem = Problem.of(read_serving(table).rows)
    fitted = refit_serving(problem, on_progress or (lambda _: None))
    if out is not None:
        fitted.save(Path(out))
    return FittedServing(fitted, None if out is None else Path(out))


def calibrate(
    *tables: Path | str,
    out: Path | str | None = None,
    anew: bool = False,
    newcomers: bool = False,
    on_progress: OnProgress | None = None,
) -> FittedMachine | FittedConstants:
    """Fit the constants of a machine to its probe, or of a cluster to its throughput.

    Args:
        tables: a probe, or tables of throughput; the published ones where none is named.
        out: file to write.
        anew: fit from physical priors instead of starting from the published fit.
        newcomers: leave the constants, and fit again what is expected of publishers that no fit
            saw, to the published tables.
        on_progress: called with a line on what is being done.

    Raises:
        InputError: nothing is named, or a file is not what it should be.
        MissingDataError: there are too few rows.
    """
    path = None if out is None else Path(out)
    paths = [Path(table) for table in tables]
    if is_probe(paths):
        if anew or newcomers:
            option = "--anew" if anew else "--newcomers"
            raise InputError(
                f"expected tables of throughput for {option}", str(paths[0]), "leave it away"
            )
        machine = calibrate_machine(read_probe(paths[0]), str(paths[0]))
        if path is not None:
            save_machine(machine, path)
        return FittedMachine(machine, path)
    if newcomers and (paths or anew):
        raise InputError(
            "expected --newcomers alone",
            "--anew too" if anew else "tables too",
            "it fits nothing but the newcomers, to the published tables; run --anew first",
        )
    if not (paths or newcomers or anew):
        raise InputError(
            "expected a probe or a table of throughput, or --newcomers alone",
            "nothing",
            "name one; --anew fits to the published tables",
        )
    rows = _measured_rows(paths or published_tables())
    watch = on_progress or (lambda _: None)
    if newcomers:
        pool = fit_newcomers(published_pool(), rows, watch)
    else:
        pool = fit_anew(rows, watch) if anew else fit_own(rows)
    if path is not None:
        save_pool(pool, path)
    return FittedConstants(pool, path)


def _measured_rows(paths: Sequence[Path]) -> list[ThroughputRow]:
    """Rows of tables that have a measured rate.

    Raises:
        InputError: a file is not what it should be.
        MissingDataError: no row can be predicted.
    """
    table = read_tables(paths)
    rows = [row for row in table.rows if row.measured]
    if not rows and table.skipped:
        name, reason = next(iter(table.skipped.items()))
        raise MissingDataError(
            "expected at least one row that can be predicted", f"{name}: {reason}", "mend its cells"
        )
    return rows


def is_probe(tables: Sequence[Path]) -> bool:
    """Whether these are the file of a probe rather than tables of throughput."""
    return len(tables) == 1 and tables[0].suffix == ".json"

"""Another checkout of the project beside this one: how it is chosen, run and compared."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from benchmarks.process import ROOT, Finished, run_process
from energy.errors import InputError


def require_checkout(other: Path, file: str) -> Path:
    """Return the absolute path of another checkout of this project.

    Args:
        other: its root.
        file: what is run of it, below its root.

    Raises:
        InputError: it has no such file, or it is this one.
    """
    if not (other / file).is_file():
        raise InputError(
            "expected --beside DIR with another checkout of this project",
            f"{other}, which has no {file}",
            "make one: git worktree add ../before COMMIT",
        )
    if other.samefile(ROOT):
        raise InputError("expected --beside with another checkout than this one", str(other))
    return other.resolve()


def run_python(
    checkout: Path, *arguments: str, folder: Path, exit_codes: Collection[int] = (0,)
) -> Finished:
    """Run the code of a checkout with the interpreter that runs this module.

    Args:
        checkout: root of the code.
        arguments: of the interpreter.
        folder: its working directory, in which `python -m` looks for packages first.
        exit_codes: those that count as success.

    Raises:
        AccountingError: the interpreter ended with another exit code.
    """
    return run_process(
        [sys.executable, *arguments],
        folder=folder,
        environment={**os.environ, "PYTHONPATH": str(checkout)},
        exit_codes=exit_codes,
    )


def median_ratio(ours: Iterable[float], theirs: Iterable[float]) -> float:
    """What one side costs over what the other does: the median over the pairs."""
    return statistics.median(our / their for our, their in zip(ours, theirs, strict=True))

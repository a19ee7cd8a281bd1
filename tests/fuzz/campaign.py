"""Runs many inputs and counts how they ended."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from tests.fuzz.harness import Outcome, outcome
from tests.fuzz.mutations import misplaced, mutated
from tests.fuzz.reader import Reader

ELSEWHERE = 0.06
"""Share of the inputs where something else stands at the place of the file."""

COLUMNS = ("read", "refused", "traceback", "exit 1", "hang", "negative", "silent", "warned")


@dataclass(frozen=True)
class Finding:
    """An input that did not end as it must."""

    what: str
    seed: str
    outcome: Outcome

    def __str__(self) -> str:
        end = self.outcome
        return (
            f"{self.what} (seed {self.seed}): {end.kind} at {end.place or 'its end'}: {end.words}"
        )


@dataclass
class Result:
    """How the inputs ended, by what they were for."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, what: str, seed: str, end: Outcome, *, valid: bool = False) -> None:
        """Count an input; a valid one must be read."""
        self.counts.setdefault(what, Counter())[end.kind] += 1
        if end.wrong or (valid and end.kind != "read"):
            self.findings.append(Finding(what, seed, end))

    @property
    def inputs(self) -> int:
        """How many inputs were run."""
        return sum(sum(counter.values()) for counter in self.counts.values())

    def places(self) -> Counter[tuple[str, str, str]]:
        """Kinds, places and first words of what went wrong."""
        return Counter((f.outcome.kind, f.outcome.place, f.outcome.words) for f in self.findings)

    def table(self) -> str:
        """Inputs by what they were for, and how they ended."""
        total: Counter[str] = sum(self.counts.values(), Counter())
        rows = [*self.counts.items(), ("all", total)]
        lines = [f"{'':24} {'inputs':>7} " + " ".join(f"{name:>9}" for name in COLUMNS)]
        for name, counter in rows:
            ends = " ".join(f"{counter[column]:9}" for column in COLUMNS)
            lines.append(f"{name:24} {counter.total():7} {ends}")
        return "\n".join(lines)


def mutated_files(readers: Sequence[Reader], inputs: int, seed: int) -> Result:
    """Run mutated files.

    Args:
        readers: what reads them.
        inputs: how many in all, shared by the weights of the readers.
        seed: of the campaign.
    """
    result = Result()
    total = sum(reader.weight for reader in readers)
    for reader in readers:
        for number in range(max(1, round(inputs * reader.weight / total))):
            name = f"{seed}-{reader.name}-{number}"
            random = Random(name)
            with _folder() as folder:
                path = reader.make(folder, random)
                if reader.elsewhere and random.random() < ELSEWHERE:
                    misplaced(path, random)
                else:
                    path.write_bytes(mutated(path.read_bytes(), reader.kind, random))
                result.add(reader.name, name, outcome(partial(reader.read, path)))
    return result


def valid_files(readers: Sequence[Reader], each: int, seed: int) -> Result:
    """Run valid files: none may be refused."""
    result = Result()
    for reader in readers:
        for number in range(each):
            name = f"valid-{seed}-{reader.name}-{number}"
            with _folder() as folder:
                path = reader.make(folder, Random(name))
                result.add(reader.name, name, outcome(partial(reader.read, path)), valid=True)
    return result


def commands(cases: Iterator[tuple[str, str, Callable[[], object]]]) -> Result:
    """Run commands, each in an empty folder: what it is for, its words, and the action."""
    result = Result()
    for what, words, action in cases:
        with _folder():
            result.add(what, words, outcome(action))
    return result


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """An empty working folder, in which caches and settings of this user are empty as well."""
    before, there = dict(os.environ), Path.cwd()
    with tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as name:
        for variable in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
            os.environ[variable] = str(Path(name) / ".user")
        (Path(name) / ".user").mkdir()
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(there)
            os.environ.clear()
            os.environ.update(before)

"""One run on a virtual machine: what the product's sampler writes while it lives, stands and dies.

The rows of the metering process itself (header, end) are written here, in its words; all readings
are those of `energy.sampler.sampling.Sampler`.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from benchmarks.meters.virtual.clock import VirtualClock
from benchmarks.meters.virtual.devices import Device, disconnect, makers
from energy.ledger import lines as ledger
from energy.ledger.lines import Row
from energy.ledger.writer import Writer
from energy.meters import sources
from energy.meters.base import Domain, Source
from energy.sampler.sampling import Sampler
from tests.support.standin import write_ledger

LATENCY_S = (50e-6, 500e-6)
"""How late a process wakes up on a machine that is not busy."""


OPENING_S = 0.03
"""How long a process takes to open its meters."""

HANGS = "a call of its driver did not return"
"""Why a device is missing that hangs, where nothing of the process says it."""

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where files that are written hundreds of times a second are kept in memory."""


@dataclass(frozen=True)
class Stretch:
    """A window of the run: it closes at its end, and its row is written then."""

    begin_s: float
    end_s: float
    name: str = "command"
    phase: str = "compute"


@dataclass(frozen=True, kw_only=True)
class Life:
    """One metering process, from its start to its end.

    Attributes:
        begin_s: moment of its start.
        end_s: moment of its end.
        why: the end row that it writes; empty if it is killed before it can.
        stands: moments at which it stands still (SIGSTOP), and for how many seconds.
        sleeps: moments at which the whole machine sleeps, and for how many seconds.
        without: sources whose devices it leaves out, as they hang.
        before: rows about the process before it.
    """

    begin_s: float
    end_s: float
    why: str = ""
    stands: Sequence[tuple[float, float]] = ()
    sleeps: Sequence[tuple[float, float]] = ()
    without: frozenset[str] = frozenset()
    before: Sequence[Row] = ()


@dataclass
class Rows:
    """Keeps the rows in memory, in place of the writer of a ledger."""

    rows: list[Row] = field(default_factory=list)
    path: Path = Path(ledger.FILE)

    def append(self, *rows: Row) -> None:
        """Keep rows."""
        self.rows += rows

    def restore(self) -> bool:
        """Nothing was deleted."""
        return False


@contextmanager
def virtual_machine(
    devices: Mapping[str, Device], library: Path
) -> Iterator[tuple[VirtualClock, dict[str, Callable[[], Source]]]]:
    """A machine whose clock is the clock of this process, and its sources by name."""
    clock = VirtualClock()
    with (
        tempfile.TemporaryDirectory(dir=MEMORY) as folder,
        patch.dict(os.environ),
        clock.installed(),
    ):
        try:
            yield clock, makers(devices, Path(folder), library, clock.monotonic)
        finally:
            disconnect()


def metered(
    devices: Mapping[str, Device],
    library: Path,
    lives: Iterable[Life],
    windows: Iterable[Stretch] = (),
    *,
    seed: int = 0,
    interval_s: float = 1.0,
    run_id: str = "run",
) -> list[Row]:
    """The rows of a run.

    Args:
        devices: of the machine, by the names of their domains.
        library: the compiled stand-in for NVIDIA's library.
        lives: of its metering processes, in order.
        windows: of the run.
        seed: of the jitter of the readings and of how late the process wakes up.
        interval_s: between samples.
        run_id: id of the run.
    """
    rows = Rows()
    generator = random.Random(seed)
    random.seed(seed)  # the sampler's jitter
    domains: list[Domain] = []
    waiting = sorted(windows, key=lambda window: window.end_s)
    with virtual_machine(devices, library) as (clock, openers):
        for number, life in enumerate(lives):
            clock.advance_to(life.begin_s)
            rows.append(*life.before)
            opened, domains = _opened(openers, life.without, domains)
            clock.advance(OPENING_S)
            rows.append(_header(clock, domains, interval_s, run_id, continues=number > 0))
            sampler = Sampler(opened, domains, cast(Writer, rows), interval_s)
            _live(clock, sampler, rows, life, waiting, generator)
            for source in opened:
                source.close()
    return rows.rows


def saved(folder: Path, rows: Iterable[Row]) -> Path:
    """Write a ledger with these rows into a folder, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_ledger(folder / ledger.FILE, rows)
    return folder


def _opened(
    openers: Mapping[str, Callable[[], Source]], without: frozenset[str], before: list[Domain]
) -> tuple[list[Source], list[Domain]]:
    """The sources that a process opens, and all domains, as `sources.open_sources` gives them.

    Args:
        openers: all sources of the machine.
        without: those that are left out; their domains are missing.
        before: the domains of the process before this one.
    """
    with patch.dict(sources.SOURCES, openers):
        opened, domains = sources.open_sources([name for name in openers if name not in without])
    known = {domain.id for domain in domains}
    left_out = [replace(d, origin="missing", reason=HANGS) for d in before if d.id not in known]
    return opened, [*domains, *left_out]


def _header(
    clock: VirtualClock, domains: list[Domain], interval_s: float, run_id: str, *, continues: bool
) -> Row:
    """The row with which a metering process begins."""
    header: dict[str, Any] = {
        "id": run_id,
        "name": "run",
        "labels": {},
        "boot": "virtual-boot",
        "host": "virtual",
        "pid": 1,
        "sync": None,
        "k": "header",
        "v": ledger.VERSION,
        "interval_s": interval_s,
        "domains": [domain.as_dict() for domain in domains],
        "m": clock.now_ns,
        "utc": "2026-11-28T00:00:00+00:00",
    }
    return header | ({"continues": True} if continues else {})


def _live(
    clock: VirtualClock,
    sampler: Sampler,
    rows: Rows,
    life: Life,
    waiting: list[Stretch],
    generator: random.Random,
) -> None:
    """Let a sampler do what is due until its process ends."""
    stands = [(moment, seconds, clock.advance) for moment, seconds in life.stands]
    sleeps = [(moment, seconds, clock.suspend) for moment, seconds in life.sleeps]
    pauses = sorted(stands + sleeps, key=lambda pause: pause[0])
    while clock.monotonic() < life.end_s:
        sampler.run_pending()
        wake_s = clock.monotonic() + sampler.wait_ns() / 1e9 + generator.uniform(*LATENCY_S)
        moments = [wake_s, life.end_s, *(w.end_s for w in waiting[:1]), *(p[0] for p in pauses[:1])]
        clock.advance_to(min(moments))
        while waiting and waiting[0].end_s <= clock.monotonic():
            window = waiting.pop(0)
            m0, m1 = round(window.begin_s * 1e9), round(window.end_s * 1e9)
            names = {"name": window.name, "phase": window.phase}
            rows.append({"k": "window", "m0": m0, "m1": m1, **names})
            sampler.add_edges(m0, m1)
        while pauses and pauses[0][0] <= clock.monotonic():
            _, seconds, stand_still = pauses.pop(0)
            stand_still(seconds)
    if life.why:
        moment = sampler.sample()
        sampler.settle()
        rows.append({"k": "end", "m": moment, "why": life.why, "cpu_s": 0.0})

"""A day of a node with eight boards: what may grow with time, and what must not."""

import sys
import tracemalloc

import pytest

from energy.ledger import accounting
from energy.ledger import reader as ledger
from energy.ledger.lines import FILE
from energy.ledger.writer import Writer
from energy.meters.base import BaseSource, Domain
from energy.sampler import edges, sampling
from energy.sampler.sampling import Sampler
from tests.support.ledgers import header

BOARDS, DAY_S, WATTS = 8, 86_400, 312.5
PART = DAY_S // 4
"""Rows of a reading whose memory is traced, which makes it five times slower."""

START_NS = 1_000_000_000_000


class Clock:
    """A clock that a test sets."""

    now_ns = START_NS

    def monotonic_ns(self):
        return self.now_ns

    def monotonic(self):
        return self.now_ns / 1e9


class Boards(BaseSource):
    """Eight boards of constant power; with `tick_s` their counters tick."""

    name = "boards"

    def __init__(self, clock, tick_s=0.0):
        self.clock, self.tick_s = clock, tick_s

    def joules(self):
        now_s = self.clock.now_ns / 1e9
        return WATTS * (now_s // self.tick_s * self.tick_s if self.tick_s else now_s)

    def counters(self):
        return {name(i): self.joules for i in range(BOARDS)} if self.tick_s else {}

    def read(self):
        return {name(i): self.joules() for i in range(BOARDS)}


def name(index):
    return f"GPU-8f0e7bda-0000-0000-0000-00000000000{index}"


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in (sampling, edges):
        monkeypatch.setattr(module, "time", clock)
    return clock


def sampler_of(path, source):
    """A sampler that reads a source and writes a new ledger."""
    writer = Writer(path)
    domains = [
        Domain(id=name(i), kind="gpu", boundary="chip", tick_s=source.tick_s) for i in range(BOARDS)
    ]
    own = [domain.as_dict() for domain in domains]
    writer.append(header(own, v=1, m=START_NS, utc="", pid=1))
    return Sampler([source], domains, writer, 1.0)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """The ledger of a day, and the bytes that the sampler gains in its first and last minutes."""
    path, clock = tmp_path_factory.mktemp("day") / FILE, Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "time", clock)
        patch.setattr(edges, "time", clock)
        sampler = sampler_of(path, Boards(clock))
        tracemalloc.start()
        for second in range(DAY_S + 1):
            if second == 600:
                early = tracemalloc.get_traced_memory()[0]
                tracemalloc.stop()
            if second == DAY_S - 600:
                tracemalloc.start()
            clock.now_ns = START_NS + second * 1_000_000_000
            sampler.run_pending()
        late = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    return path, early, late


def test_a_day_of_samples_keeps_the_sampler_and_the_disk_small(day):
    path, early, late = day
    assert early < 1e5
    assert late < 1e5  # six times that if the sampler kept its samples
    assert path.stat().st_size < 30e6


def test_a_follower_keeps_two_minutes_of_ticks_however_long_the_run(tmp_path, clock):
    sampler = sampler_of(tmp_path / FILE, Boards(clock, tick_s=0.1))
    used = []
    tracemalloc.start()
    for minute in range(8):
        until_ns = START_NS + (minute + 1) * 60_000_000_000
        while clock.now_ns < until_ns:
            clock.now_ns += max(1_000_000, sampler.wait_ns())
            sampler.run_pending()
            if clock.now_ns % 3 == 0:
                sampler.add_edges(clock.now_ns - 40_000_000, clock.now_ns)
        used.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    # Ticks are kept for two minutes, the moments of written ones for twice that.
    assert used[-1] < 1.1 * used[5]


def beginning(day, path, rows):
    """The header and the first rows of the day as a ledger of their own."""
    path.write_bytes(b"".join(day[0].read_bytes().splitlines(keepends=True)[: rows + 1]))
    return path


def test_a_day_is_read_in_bounded_memory_without_losing_a_joule(day, tmp_path):
    path = beginning(day, tmp_path / FILE, PART)
    tracemalloc.start()
    (segment,) = ledger.segments(path)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used * DAY_S / PART < 30e6
    (segment,) = ledger.segments(day[0])
    joules = segment.between(name(3), segment.start_s, segment.stop_s)
    assert joules == pytest.approx(WATTS * DAY_S, rel=1e-9)


def test_a_live_reader_forgets_old_samples_but_no_joule(day, tmp_path):
    """As in `Tracker.snapshot`, for a quarter of a day, a thousand samples at a time."""
    path = tmp_path / FILE
    reader = ledger.Reader(path, live=True)
    lines = day[0].read_bytes().splitlines(keepends=True)[: PART + 1]
    tracemalloc.start()
    for start in range(0, len(lines), 1000):
        with path.open("ab") as file:
            file.writelines(lines[start : start + 1000])
        (segment,) = reader.segments()
        snapshot = accounting.snapshot([segment], "run", 0.0)
        spent_j = BOARDS * WATTS * (segment.stop_s - START_NS / 1e9)
        assert snapshot.energy.value == pytest.approx(spent_j, rel=1e-9)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(segment.times) <= ledger.LIVE_SAMPLES
    assert used < 3e6
    assert snapshot.power_w.value == pytest.approx(BOARDS * WATTS, rel=1e-6)


def test_reading_takes_time_proportional_to_the_rows(day, tmp_path):
    """Counted in executed lines of Python, not in seconds, so that other work cannot disturb it."""

    def lines_run(rows):
        path = beginning(day, tmp_path / f"{rows}.jsonl", rows)
        count = 0

        def trace(*_):
            nonlocal count
            count += 1
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            accounting.record(path, name="r", labels={}, notes=[])
        finally:
            sys.settrace(before)
        return count

    lines_run(100)  # imports at the first use
    assert lines_run(2000) < 2.2 * lines_run(1000)

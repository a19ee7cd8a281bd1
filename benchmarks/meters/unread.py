"""Joules that are claimed for time without readings: cases on virtual machines.

Each case is a run in which a meter or its sampler stops for a while: a board is lost, the sampler
is killed, stands still or hangs in a call of the driver, or the first answer comes late. The
record is compared with the exact joules of what was read, second by second.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.meters import on_disk, spans
from benchmarks.meters.judge import SLIVER_S, Kind, Problem, SoundBand, Truth, problems
from benchmarks.meters.sensors import Counter, Load, alternating, constant, telegraph
from benchmarks.meters.spans import Span
from benchmarks.meters.virtual.clock import START_S
from benchmarks.meters.virtual.devices import INSTANT_W, RAPL_RANGE_J, Device, Fault
from benchmarks.meters.virtual.metering import Life, Stretch, metered, saved
from energy.ledger import accounting
from energy.ledger import lines as ledger
from energy.ledger.lines import Row
from energy.ledger.merge import merge

FAULTS = ("loss", "kill", "stop", "hang", "late start")
WAYS = ("run", "tracker", "merge")
INTERVAL_S = 1.0
WATCH_S = 2.0
"""Silence after which the watcher restarts a sampler that stands still: two intervals."""


@dataclass(frozen=True)
class Meter:
    """A way to read a device.

    Attributes:
        source: the product's source.
        device: name of the domain.
        counts: whether joules are read, not watts.
        limit_w: most watts that it can draw.
        every_s: the longest time between two readings.
        hold_s: how long a power may count when no other follows; 0 for counters.
        sliver_s: time at the edge of what was read that may count as read.
        opens_s: how long the source takes to open.
        wrap_j: joules at which the counter turns.
    """

    source: str
    device: str
    counts: bool
    limit_w: float
    every_s: float = 0.3
    hold_s: float = 0.5
    sliver_s: float = SLIVER_S
    opens_s: float = 0.001
    wrap_j: float = 0.0


METERS = {
    "counter": Meter("nvml", "GPU-stand-in-0", True, 700.0, 0.1, 0.0),
    "power only": Meter("nvml", "GPU-stand-in-0", False, 700.0),
    "RAPL": Meter("rapl", "cpu-package-0", True, 500.0, 1.0, 0.0, wrap_j=RAPL_RANGE_J),
    "hwmon": Meter("hwmon", "node-hwmon0-power1", False, 20_000.0),
    "IPMI": Meter("node", "node", False, 20_000.0, 1.4, 3.0, 3.0),
    "AMD": Meter("amd", "amd-0", True, 1400.0, 1.0, 0.0, opens_s=0.51),
    "AMD, power only": Meter("amd", "amd-0", False, 1400.0, opens_s=0.51),
}

STEADY = [METERS[name] for name in ("IPMI", "AMD")]
"""Meters that are read once a second, or checked by two readings of power: of a steady load."""


@dataclass(frozen=True)
class Case:
    """One run with one fault.

    Attributes:
        fault: of FAULTS.
        meter: key of METERS.
        way: of WAYS.
        seed: of its random moments.
    """

    fault: str
    meter: str
    way: str
    seed: int

    @property
    def name(self) -> str:
        """The case in words."""
        return f"{self.fault}, {self.meter}, {self.way} {self.seed}"


@dataclass(frozen=True)
class Plan:
    """What happens in one run.

    Attributes:
        run: begin and end.
        lives: of its metering processes.
        faults: of the device.
    """

    run: Span
    lives: tuple[Life, ...]
    faults: tuple[Fault, ...] = ()


def cases(count: int) -> list[Case]:
    """Cases of every fault, meter and way, in turn, with moments of their own."""
    return [Case(*drawn) for drawn in in_turn(METERS, count, seed=1)]


def in_turn(meters: Iterable[str], count: int, *, seed: int) -> list[tuple[str, str, str, int]]:
    """What cases differ in: fault, meter, way and the seed of their own moments.

    Args:
        meters: those that have every fault in every way.
        count: of cases.
        seed: of their order.
    """
    kinds = [(fault, meter, way) for way in WAYS for meter in meters for fault in FAULTS]
    random.Random(seed).shuffle(kinds)
    return [(*kinds[i % len(kinds)], i) for i in range(count)]


def judge(case: Case, library: Path) -> list[Problem]:
    """Run one case and compare its record with the truth."""
    generator = random.Random(case.seed)
    meter = METERS[case.meter]
    load = _load(meter, case.seed, generator)
    length_s = generator.uniform(12.0, 26.0)
    run = (START_S, START_S + length_s)
    with tempfile.TemporaryDirectory() as folder:
        plans = _plans(case, generator, run, meter)
        ledgers, rows, read, moments = [], [], [], []
        for number, plan in enumerate(plans):
            windows = _windows(case.way, generator, plan.run)
            own = rows_of(plan, meter, load, library, windows, f"run-{number}")
            ledgers.append(saved(Path(folder) / f"rank-{number}", own))
            rows += own
            own_read, own_moments = on_disk.read_of(own, meter.device, meter.every_s)
            read += own_read
            moments += own_moments
        generator.shuffle(ledgers)
        record = record_of(case.way, ledgers)
    bounds = on_disk.time_of(rows)
    truth = _truth(case.meter, load, bounds, spans.within(read, bounds), moments, library)
    truth = replace(truth, ledgers=len(ledgers))
    if max(bounds[0] - run[0], run[1] - bounds[1]) > INTERVAL_S:
        text = f"the rows mention {bounds[1] - bounds[0]:.1f} s of {length_s:.1f} s"
        return [Problem(Kind.NAME, text)]
    return problems(record, truth)


def record_of(way: str, ledgers: Sequence[Path]) -> Mapping[str, Any]:
    """The JSON of the record of a run, or of several ledgers."""
    if way == "merge":
        return merge(ledgers, "merged").model_dump(mode="json")
    path = ledgers[0] / ledger.FILE
    return accounting.record(path, name="run", labels={}, notes=[]).model_dump(mode="json")


def _load(meter: Meter, seed: int, generator: random.Random) -> Load:
    """A constant power, a square wave or, where it is read often enough, a random one."""
    start_s, numbers = START_S - 30.0, np.random.default_rng(seed)
    if seed % 2 or meter in STEADY:
        return constant(generator.uniform(120.0, 380.0))
    if seed % 4:
        return telegraph(numbers, start_s, start_s + 90, mean_s=0.8, least_w=80, most_w=390)
    period_s = generator.uniform(0.4, 1.5)
    return alternating(start_s, 200, period_s, high_s=period_s / 2, high_w=390, low_w=90)


def _plans(case: Case, generator: random.Random, run: Span, meter: Meter) -> list[Plan]:
    """What happens in the run, or in each rank: of ranks, the first has the fault."""
    faulty = _plan(case.fault, generator, run, meter)
    if case.way != "merge":
        return [faulty]
    if case.seed % 3 == 0:
        sound = (run[0] + generator.uniform(0.5, 6.0), run[1] - generator.uniform(0.0, 3.0))
    else:
        sound = run
    return [faulty, Plan(sound, (Life(begin_s=sound[0], end_s=sound[1], why="closed"),))]


def _plan(fault: str, generator: random.Random, run: Span, meter: Meter) -> Plan:
    """The moments of a fault: anywhere in the run, short enough to be bridged or longer."""
    begin_s, end_s = run
    at_s = generator.uniform(begin_s + 1.5, end_s - 2.0)
    whole = Life(begin_s=begin_s, end_s=end_s, why="closed")
    if fault == "loss":
        back_s = generator.choice((end_s + 1, generator.uniform(at_s, end_s + 3)))
        return Plan(run, (whole,), (_silence(at_s, back_s),))
    if fault == "late start":
        first_s = begin_s + generator.uniform(1.0, 8.0)
        return Plan(run, (whole,), (_silence(begin_s + meter.opens_s, first_s),))
    if fault == "stop" and generator.random() < 0.5:
        stand_s = generator.uniform(0.3, min(9.0, end_s - at_s - 1.0))
        return Plan(run, (replace(whole, stands=((at_s, stand_s),)),))
    detected_s = {"kill": generator.choice((0.05, 0.5, 2.0, 7.0)), "stop": WATCH_S, "hang": WATCH_S}
    again_s = min(at_s + detected_s[fault], end_s - 0.5)
    why = {"kill": "killed", "stop": "stopped", "hang": "hung"}[fault]
    moment = round(again_s * 1e9)
    before: list[Row] = [{"k": "lost_sampler", "m": moment, "why": why}]
    without: frozenset[str] = frozenset()
    if fault == "hang":
        before.insert(0, {"k": "hung", "m": moment, "meter": meter.source, "s": WATCH_S})
        without = frozenset({meter.source})
    second = Life(begin_s=again_s, end_s=end_s, why="closed", before=tuple(before), without=without)
    return Plan(run, (replace(whole, end_s=at_s, why=""), second))


def _silence(begin_s: float, end_s: float) -> Fault:
    """No answer between two moments."""
    return lambda moment_s, value: None if begin_s < moment_s < end_s else value


def _windows(way: str, generator: random.Random, run: Span) -> list[Stretch]:
    """The one window of a command, or windows of half a second to three seconds."""
    if way == "run":
        return [Stretch(run[0] + 0.01, run[1] - 0.01)]
    windows: list[Stretch] = []
    begin_s = run[0] + 0.2
    while begin_s < run[1] - 4.0:
        end_s = begin_s + generator.uniform(0.5, 3.0)
        windows.append(Stretch(begin_s, end_s, f"w{len(windows)}"))
        begin_s = end_s + generator.uniform(0.0, 0.3)
    return windows


def rows_of(
    plan: Plan,
    meter: Meter,
    load: Load,
    library: Path,
    windows: Sequence[Stretch],
    run_id: str,
) -> list[Row]:
    """The rows of a run of a machine with one device."""
    device = device_of(meter, load, 5_000.0)
    device.faults = list(plan.faults)
    return metered(
        {meter.device: device},
        library,
        plan.lives,
        windows,
        seed=round(plan.run[1] * 1000),
        interval_s=INTERVAL_S,
        run_id=run_id,
    )


def device_of(meter: Meter, load: Load, shown_j: float) -> Device:
    """The device that a meter reads; its counter shows so many joules when the machine begins."""
    if not meter.counts:
        return Device(meter.source, load, INSTANT_W, wrap_j=meter.wrap_j)
    counter = Counter(tick_s=0.1 if meter.source == "nvml" else 0.001)
    base_j = shown_j - float(load.energy_j(START_S))
    return Device(meter.source, load, counter, base_j, meter.wrap_j)


def _truth(
    name: str,
    load: Load,
    run: Span,
    read: Sequence[Span],
    moments: Sequence[float],
    library: Path,
) -> Truth:
    """The truth of a device, with the band of a sound run of the same load."""
    meter = METERS[name]
    return Truth(
        device=meter.device,
        load=load,
        run=run,
        read=read,
        moments=moments,
        maybe=[(min(moments), max(moments))] if meter.counts and moments else [],
        hold_s=meter.hold_s,
        sliver_s=meter.sliver_s,
        every_s=meter.every_s,
        limit_w=meter.limit_w,
        sound=sound_band(name, load, run[1] - run[0], library),
    )


def sound_band(name: str, load: Load, seconds: float, library: Path) -> SoundBand:
    """The band of runs of a load in which nothing goes wrong, from one and another half as long.

    Args:
        name: key of METERS.
        load: of the device, in the time of a virtual machine.
        seconds: length of the longer run.
        library: the compiled stand-in.
    """
    whole_j, half_j = (
        _half_width(name, load, length, library) for length in (seconds, seconds / 2)
    )
    edges_j = min(max(0.0, 2 * half_j - whole_j), whole_j)
    return SoundBand(edges_j, (whole_j - edges_j) / seconds)


def _half_width(name: str, load: Load, seconds: float, library: Path) -> float:
    """Half width of the band of a sound run, in joules."""
    run = (START_S, START_S + seconds)
    plan = Plan(run, (Life(begin_s=run[0], end_s=run[1], why="closed"),))
    rows = rows_of(plan, METERS[name], load, library, [], "sound")
    with tempfile.TemporaryDirectory() as folder:
        record = record_of("run", [saved(Path(folder), rows)])
    (entry,) = (entry for entry in record["energy"] if entry["value"] is not None)
    half_j: float = (entry["high"] - entry["low"]) / 2
    return half_j


def results(count: int, library: Path) -> Iterator[tuple[Case, list[Problem]]]:
    """Every case and what is wrong with its record."""
    for case in cases(count):
        yield case, judge(case, library)

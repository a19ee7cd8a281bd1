"""Runs in which something odd is read: what cannot be, and what only seems so.

Each maker returns a scene: devices, the metering process, and what the record may and must say.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.meters.sensors import Counter, Load, constant
from benchmarks.meters.unread import METERS, Meter, device_of
from benchmarks.meters.virtual.clock import START_S
from benchmarks.meters.virtual.devices import INSTANT_W, Device, Fault
from benchmarks.meters.virtual.metering import Life, Stretch

FOR_EVER_S = 1e9


@dataclass
class Scene:
    """A run in which something odd is read.

    Attributes:
        devices: of the machine.
        life: of its metering process.
        device: name of the one that is judged.
        watts: its true power, if that is constant.
        spent_j: its true joules; those of its power by default.
        lost_s: time that may go uncounted.
        notes: words of which a note must have one, unless an entry names the time that was lost.
        silent_about: words that no note may have.
        refused: name of a device that must be refused.
    """

    devices: dict[str, Device]
    life: Life
    device: str
    watts: float
    spent_j: float | None = None
    lost_s: float = 0.0
    notes: tuple[str, ...] = ()
    silent_about: tuple[str, ...] = ()
    refused: str = ""
    windows: list[Stretch] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """One run.

    Attributes:
        kind: key of IMPOSSIBLE or TRUE.
        meter: key of METERS.
        seed: of its random moments.
    """

    kind: str
    meter: str
    seed: int

    @property
    def name(self) -> str:
        """The case in words."""
        return f"{self.kind}, {self.meter} {self.seed}"


Maker = Callable[[Case, random.Random], Scene]

NOTED = ("set aside", "reset", "jump", "refused", "cannot be", "odd", "implausible")
"""Words of which a note on an impossible reading must have one."""

ASIDE = ("set aside", "refused", "implausible")
"""Words that no note on true readings may have."""

COUNTERS = ("counter", "RAPL", "AMD")
POWERS = ("power only", "hwmon", "IPMI", "AMD, power only")


def _scene(case: Case, generator: random.Random, fault: Fault | None, **more: Any) -> Scene:
    """A run of constant power with one device, which shows something odd."""
    watts = generator.uniform(150.0, 380.0)
    device = _device(METERS[case.meter], constant(watts), generator)
    device.faults = [fault] if fault else []
    end_s = START_S + generator.uniform(14.0, 24.0)
    life = Life(begin_s=START_S, end_s=end_s, why="closed")
    name = METERS[case.meter].device
    return Scene({name: device}, life, name, watts, **more)


def _device(meter: Meter, load: Load, generator: random.Random) -> Device:
    """A device of a meter, whose counter has counted for a while."""
    shown_j = generator.choice((3_000.0, 50e3, 22.5e6))
    if meter.wrap_j:
        shown_j = generator.uniform(1_000.0, 0.8 * meter.wrap_j)
    return device_of(meter, load, shown_j)


def _at(generator: random.Random) -> float:
    """A moment in the middle of a run."""
    return START_S + generator.uniform(4.0, 9.0)


def _while(begin_s: float, seconds: float, shown: Callable[[float], float | None]) -> Fault:
    """Show something else for a while."""
    return lambda moment_s, value: shown(value) if 0 < moment_s - begin_s < seconds else value


def _dip(case: Case, generator: random.Random) -> Scene:
    low_j = generator.choice((0.0, 200.0, 1_500.0))
    fault = _while(_at(generator), generator.choice((1.1, 1.6, 2.3)), lambda _: low_j)
    return _scene(case, generator, fault, lost_s=3.5, notes=NOTED)


def _step_back(case: Case, generator: random.Random) -> Scene:
    """A few microjoules to a joule less in one reading than in the one before it, at rest."""
    begin_s, back_j = _at(generator), generator.choice((60e-6, 0.06, 1.0))
    # What a board's counter shows between two ticks, or less than a millijoule, is in no ledger.
    is_seen = METERS[case.meter].source != "nvml" and back_j > 1e-3
    last: list[float] = []

    def fault(moment_s: float, value: float) -> float:
        if moment_s < begin_s or (last and last[0] < 0):
            return value
        if not last:
            last.append(value)
            return value
        lower_j, last[0] = last[0] - back_j, -1.0
        return lower_j

    return _scene(case, generator, fault, lost_s=2.5, notes=NOTED if is_seen else ())


def _jump(case: Case, generator: random.Random) -> Scene:
    begin_s, more_j = _at(generator), generator.choice((90e3, 30e3, 2.5e5))
    fault = _while(begin_s, FOR_EVER_S, lambda value: value + more_j)
    return _scene(case, generator, fault, lost_s=2.5, notes=NOTED)


def _spike(case: Case, generator: random.Random) -> Scene:
    more_j = generator.choice((90e3, 1e9))
    fault = _while(_at(generator), 1.1, lambda value: value + more_j)
    return _scene(case, generator, fault, lost_s=3.5, notes=NOTED)


def _alternating(case: Case, generator: random.Random) -> Scene:
    """Two counters in turn, as of two boards that answer for each other."""
    begin_s, more_j = _at(generator), generator.choice((40e3, 7e5))

    def fault(moment_s: float, value: float) -> float:
        is_other = begin_s <= moment_s < begin_s + 6.0 and int(moment_s) % 2
        return value + more_j if is_other else value

    return _scene(case, generator, fault, lost_s=9.0, notes=NOTED)


def _in_turn(case: Case, generator: random.Random) -> Scene:
    """A number that never changes and the truth in turn, from the first reading on."""
    number_j = generator.choice((0.0, 200.0))

    def fault(moment_s: float, value: float) -> float:
        return value if int(moment_s) % 2 else number_j

    return _scene(case, generator, fault, lost_s=3.5, notes=NOTED)


def _last_spike(case: Case, generator: random.Random) -> Scene:
    """More than the truth just before the last reading, by joules that the device could draw."""
    scene = _scene(case, generator, None, lost_s=3.5, notes=NOTED)
    device = scene.devices[scene.device]
    device.base_j += 50e3
    more_j = 1.05 * scene.watts  # the next reading, a second later, is below it
    # Long enough for one of the samples, which are a second apart.
    device.faults = [_while(scene.life.end_s - 1.04, 1.02, lambda value: value + more_j)]
    return scene


def _spike_w(case: Case, generator: random.Random) -> Scene:
    """A power beyond every limit: in one reading, or in one of two."""
    most_w = 4e6 if METERS[case.meter].source == "nvml" else 1e24
    watts = generator.choice((most_w, 90e3))
    begin_s, seconds = _at(generator), generator.choice((0.25, 1.1))
    if case.meter == "IPMI":
        seconds = 1.4  # long enough for one of its readings, which are a second apart
    return _scene(
        case,
        generator,
        _while(begin_s, seconds, lambda _: watts),
        lost_s=seconds + 3.5,
        notes=NOTED,
    )


def _negative_w(case: Case, generator: random.Random) -> Scene:
    watts = generator.choice((-5.0, -400.0))
    fault = _while(_at(generator), 1.3, lambda _: watts)
    return _scene(case, generator, fault, lost_s=4.5, notes=NOTED)


def _deactivated(case: Case, generator: random.Random) -> Scene:
    """0 W from a controller that has stopped measuring."""
    begin_s = _at(generator)
    scene = _scene(case, generator, _while(begin_s, FOR_EVER_S, lambda _: 0.0), notes=NOTED)
    scene.lost_s = scene.life.end_s - begin_s + 3.0
    return scene


def _frozen_psys(case: Case, generator: random.Random) -> Scene:
    """A platform counter that stands still around a package that counts."""
    scene = _scene(case, generator, None, notes=NOTED, refused="cpu-psys")
    scene.devices["cpu-psys"] = Device(
        "rapl", constant(0.0), Counter(tick_s=0.001), 77_000.0, METERS["RAPL"].wrap_j
    )
    return scene


def _node_below_board(case: Case, generator: random.Random) -> Scene:
    """A node that shows less than the board within it."""
    scene = _scene(case, generator, None, notes=NOTED, refused="node")
    scene.devices["node"] = Device("node", constant(60.0), INSTANT_W)
    return scene


def _reset(case: Case, generator: random.Random) -> Scene:
    """The driver is loaded again: the counter begins at zero."""
    begin_s, at_reset = _at(generator), [0.0]

    def fault(moment_s: float, value: float) -> float:
        if moment_s < begin_s:
            at_reset[0] = value
            return value
        return value - at_reset[0]

    return _scene(case, generator, fault, lost_s=1.5, notes=("reset",), silent_about=ASIDE)


def _turn(case: Case, generator: random.Random) -> Scene:
    scene = _scene(case, generator, None, silent_about=ASIDE)
    device = scene.devices[scene.device]
    device.wrap_j = generator.choice((METERS["RAPL"].wrap_j, 65_712.999613))
    before_j = scene.watts * generator.uniform(2.0, 12.0)
    device.base_j = device.wrap_j - before_j - float(device.load.energy_j(START_S))
    return scene


def _burst(case: Case, generator: random.Random) -> Scene:
    """Bursts up to the limit of the board, of a tenth of a second to two seconds."""
    scene = _scene(case, generator, None, silent_about=ASIDE)
    starts = START_S + 2.0 + np.cumsum([generator.uniform(1.0, 3.0) for _ in range(5)])
    lengths = np.array([generator.uniform(0.1, 0.9) for _ in range(5)])
    edges = np.column_stack((starts, starts + lengths)).ravel()
    high_w = 0.99 * METERS[case.meter].limit_w
    load = Load(edges, np.append(np.tile((90.0, high_w), 5), 90.0))
    device = scene.devices[scene.device]
    if isinstance(device.sensor, Counter):
        device.base_j = 50e3 - float(load.energy_j(START_S))
    device.load = load
    scene.spent_j = float(load.between(START_S, scene.life.end_s))
    return scene


def _late(case: Case, generator: random.Random) -> Scene:
    """The first answer comes after seconds; what follows is read."""
    opens_s = METERS[case.meter].opens_s
    first_s = generator.uniform(1.0, 5.0)
    fault = _while(START_S + opens_s, first_s - opens_s, lambda _: None)
    return _scene(case, generator, fault, lost_s=first_s + 1.5, silent_about=ASIDE)


def _failing(case: Case, generator: random.Random) -> Scene:
    """Readings fail now and then, after the first seconds."""
    begin_s, share = START_S + 3.0, generator.uniform(0.05, 0.4)

    def fault(moment_s: float, value: float) -> float | None:
        return None if moment_s > begin_s and generator.random() < share else value

    return _scene(case, generator, fault, lost_s=0.3, silent_about=ASIDE)


def _sleep(case: Case, generator: random.Random) -> Scene:
    """The machine sleeps; a counter goes on, at the watts of a sleeping device."""
    begin_s, seconds = _at(generator), generator.uniform(5.0, 3_000.0)
    slept_j = 15.0 * seconds if METERS[case.meter].counts else 0.0
    fault = _while(begin_s, FOR_EVER_S, lambda value: value + slept_j)
    scene = _scene(case, generator, fault, lost_s=0.6, notes=("slept",), silent_about=ASIDE)
    scene.life = Life(
        begin_s=START_S, end_s=scene.life.end_s, why="closed", sleeps=((begin_s, seconds),)
    )
    scene.spent_j = scene.watts * (scene.life.end_s - START_S) + slept_j
    return scene


IMPOSSIBLE: Mapping[str, tuple[Maker, Sequence[str]]] = {
    "a dip": (_dip, COUNTERS),
    "a step back": (_step_back, COUNTERS),
    "a jump": (_jump, COUNTERS),
    "a spike": (_spike, COUNTERS),
    "a spike before the last reading": (_last_spike, ("counter", "RAPL")),
    "a number and the truth in turn": (_in_turn, ("counter", "RAPL")),
    "two counters in turn": (_alternating, COUNTERS),
    "watts beyond the limit": (_spike_w, POWERS),
    "negative watts": (_negative_w, ("hwmon", "AMD, power only")),
    "0 W, deactivated": (_deactivated, ("IPMI", "hwmon")),
    "psys stands still": (_frozen_psys, ("RAPL",)),
    "a node below its board": (_node_below_board, ("counter", "power only")),
}
"""Readings that cannot be: how they are made, and on which meters."""

TRUE: Mapping[str, tuple[Maker, Sequence[str]]] = {
    "driver reset": (_reset, ("counter", "AMD")),
    "the counter turns": (_turn, ("RAPL",)),
    "bursts up to the limit": (_burst, ("counter", "power only", "RAPL", "AMD, power only")),
    "late first answer": (_late, ("counter", "power only", "RAPL", "hwmon")),
    "readings fail now and then": (_failing, ("counter",)),
    "the machine sleeps": (_sleep, ("counter", "power only", "RAPL", "hwmon", "AMD")),
}
"""Readings that only seem impossible."""

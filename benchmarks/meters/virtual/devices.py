"""Devices of a virtual machine, each read by the product's own source from what it shows.

A device shows joules or watts, or nothing while it does not answer. NVIDIA boards answer through
the compiled stand-in for their library, all others through files, a command or a Python module, as
the product reads them on a real machine.
"""

from __future__ import annotations

import ctypes
import math
import os
import subprocess
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from benchmarks.meters.sensors import Counter, Load, PowerSensor
from energy.meters.amd import Amd
from energy.meters.base import Source
from energy.meters.hwmon import Hwmon
from energy.meters.node import Node
from energy.meters.nvml import Nvml
from energy.meters.rapl import Rapl
from tests.support.standin import write_tree

Fault = Callable[[float, float], float | None]
"""What a device shows in place of the right value: (moment, value) -> value; None: no answer."""

Clock = Callable[[], float]
"""Seconds of the monotonic clock."""

INSTANT_W = PowerSensor(average_s=0.0, hold_s=0.0)
"""A sensor that shows the power of the moment."""

RAPL_RANGE_J = 262_143.328850
"""Joules at which the counter of a package turns on the Intel servers that we have seen."""

RAPL_FOLDERS = {
    "cpu-psys": "intel-rapl:1",
    "cpu-package-0": "intel-rapl:0",
    "core-package-0": "intel-rapl:0/intel-rapl:0:0",
    "dram-package-0": "intel-rapl:0/intel-rapl:0:1",
}
"""Place of each zone below the folder of powercap, by the name of its domain."""

RAPL_NAMES = {"cpu-psys": "psys", "core-package-0": "core", "dram-package-0": "dram"}
"""What the kernel calls a zone, where that is not the name of its domain less "cpu-"."""


@dataclass
class Device:
    """One thing that is metered, and what it shows at every moment.

    Attributes:
        source: the product's source that reads it: nvml, rapl, hwmon, node or amd.
        load: its true power.
        sensor: what stands between the load and a reading; a counter shows joules, a sensor watts.
        base_j: joules that its counter shows beyond those of the load.
        wrap_j: joules at which its counter turns; 0 if it never does.
        faults: applied to what it shows, in order.
        product: name of an NVIDIA board.
        instant: whether the board has the field of instantaneous power.
    """

    source: str
    load: Load
    sensor: Counter | PowerSensor
    base_j: float = 0.0
    wrap_j: float = 0.0
    faults: list[Fault] = field(default_factory=list)
    product: str = "Stand-in"
    instant: bool = True

    def shown(self, moment_s: float) -> float | None:
        """Joules or watts that a reading at a moment returns; None if there is no answer."""
        if isinstance(self.sensor, Counter):
            value: float | None = self.base_j + float(self.sensor.read_j(self.load, moment_s))
        else:
            value = float(self.sensor.read_w(self.load, moment_s))
        for fault in self.faults:
            if value is not None:
                value = fault(moment_s, value)
        return value % self.wrap_j if value is not None and self.wrap_j else value


class Fed:
    """A source that reads files, which are written anew before each of its readings.

    Args:
        source: the product's source.
        show: writes what the devices show now.
    """

    READINGS = ("probe", "read", "watts", "dated_watts")

    def __init__(self, source: Source, show: Callable[[], None]) -> None:
        self._source, self._show = source, show

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._source, name)
        if name not in self.READINGS:
            return value

        def read() -> Any:
            self._show()
            return value()

        return read


def makers(
    devices: Mapping[str, Device], folder: Path, library: Path, clock: Clock
) -> dict[str, Callable[[], Source]]:
    """How the product opens each of its sources on a machine with these devices.

    Args:
        devices: by the names that the product gives their domains.
        folder: for the files that the kernel shows.
        library: the compiled stand-in for NVIDIA's library.
        clock: of the machine.
    """
    make: dict[str, Callable[[Mapping[str, Device]], Source]] = {
        "nvml": lambda boards: _nvml(boards, library, clock),
        "rapl": lambda zones: _rapl(zones, folder / "powercap", clock),
        "hwmon": lambda sensors: _hwmon(sensors, folder / "hwmon", clock),
        "node": lambda nodes: _node(nodes, folder / "ipmi", clock),
        "amd": lambda boards: _amd(boards, folder, clock),
    }

    def maker(source: str) -> Callable[[], Source]:
        own = {name: device for name, device in devices.items() if device.source == source}
        return lambda: make[source](own)

    return {source: maker(source) for source in dict.fromkeys(d.source for d in devices.values())}


CALLBACK = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int, ctypes.c_int)
COUNTER, INSTANT, MODULE = 0, 2, 3
"""What the stand-in asks for: joules, field 186; the scopes from MODULE on are not there."""

_installed: list[Any] = []
"""The callback that the library calls: it must live until `disconnect`."""


def disconnect() -> None:
    """Let the stand-in for NVIDIA's library answer by itself again."""
    if _installed:
        import pynvml

        pynvml.nvmlLib.standin_answer_with(None)
        _installed.clear()


def _nvml(boards: Mapping[str, Device], library: Path, clock: Clock) -> Source:
    """The boards, in the order of their indices, through the compiled library."""
    order = list(boards.values())
    os.environ["STANDIN_DEVICES"] = str(len(order))
    for index, board in enumerate(order):
        os.environ[f"STANDIN_NAME_{index}"] = board.product

    def answer(index: int, what: int) -> float:
        board = order[index]
        if what >= MODULE or (what == COUNTER) > isinstance(board.sensor, Counter):
            return -math.inf
        if what == INSTANT and not board.instant:
            return -math.inf
        if what != COUNTER and isinstance(board.sensor, Counter):
            return float(board.load.power_w(clock()))  # the product's check on the counter
        value = board.shown(clock())
        return math.nan if value is None else value

    import pynvml

    ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    pynvml.nvmlInit()
    callback = CALLBACK(answer)
    _installed[:] = [callback]
    pynvml.nvmlLib.standin_answer_with(callback)
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    return Nvml()


def _rapl(zones: Mapping[str, Device], root: Path, clock: Clock) -> Source:
    """RAPL zones, as files below `root`."""
    for name, zone in zones.items():
        texts = {
            "name": RAPL_NAMES.get(name, name.removeprefix("cpu-")),
            "max_energy_range_uj": round((zone.wrap_j or RAPL_RANGE_J) * 1e6),
        }
        write_tree(root / RAPL_FOLDERS[name], texts)

    def show() -> None:
        for name, zone in zones.items():
            _write(root / RAPL_FOLDERS[name] / "energy_uj", zone.shown(clock()))

    return cast(Source, Fed(Rapl(root, vendor="GenuineIntel"), show))


def _hwmon(sensors: Mapping[str, Device], root: Path, clock: Clock) -> Source:
    """ACPI power meters, or energy counters of processors, as files below `root`."""
    files = []
    for index, sensor in enumerate(sensors.values()):
        folder, counts = root / f"hwmon{index}", isinstance(sensor.sensor, Counter)
        write_tree(folder, {"name": "amd_energy" if counts else "power_meter"})
        if counts:
            write_tree(folder, {"energy1_label": f"Esocket{index}"})
        files.append(folder / ("energy1_input" if counts else "power1_average"))

    def show() -> None:
        for file, sensor in zip(files, sensors.values(), strict=True):
            _write(file, sensor.shown(clock()))

    return cast(Source, Fed(Hwmon(root), show))


def _write(file: Path, value: float | None) -> None:
    """Show joules in microjoules, or watts in microwatts; an empty file where there is no value."""
    file.write_text("" if value is None else f"{value * 1e6:.0f}\n")


def _node(nodes: Mapping[str, Device], file: Path, clock: Clock) -> Source:
    """A node's controller, which is queried by a command that prints a file."""
    (node,) = nodes.values()
    source = Node(command=("cat", str(file)), devices=(str(file.parent),))

    def show() -> None:
        # A query that is running prints what the controller knew when it began.
        for query in vars(source).values():
            if isinstance(query, subprocess.Popen) and query.returncode is None:
                os.waitid(os.P_PID, query.pid, os.WEXITED | os.WNOWAIT)
        watts = node.shown(clock())
        line = "" if watts is None else f"Instantaneous power reading: {watts:.0f} Watts"
        file.write_text(f"{line}\n")

    return cast(Source, Fed(source, show))


def _amd(boards: Mapping[str, Device], driver: Path, clock: Clock) -> Source:
    """AMD boards, through a module in place of amdsmi."""

    def joules(name: str) -> dict[str, float]:
        board = boards[name]
        if not isinstance(board.sensor, Counter):
            raise RuntimeError("not supported")
        value = board.shown(clock())
        if value is None:
            raise RuntimeError("no answer")
        return {"energy_accumulator": value * 1e6, "counter_resolution": 1.0}

    def watts(name: str) -> dict[str, float]:
        board = boards[name]
        if isinstance(board.sensor, Counter):
            return {"current_socket_power": float(board.load.power_w(clock()))}
        value = board.shown(clock())
        if value is None:
            raise RuntimeError("no answer")
        return {"current_socket_power": value}

    module = types.ModuleType("amdsmi")
    vars(module).update(
        amdsmi_init=lambda: None,
        amdsmi_shut_down=lambda: None,
        amdsmi_get_processor_handles=lambda: list(boards),
        amdsmi_get_gpu_device_uuid=lambda name: name,
        amdsmi_get_power_info=watts,
        amdsmi_get_energy_count=joules,
    )
    sys.modules["amdsmi"] = module
    return Amd(driver=driver)

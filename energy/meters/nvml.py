"""Joules of NVIDIA GPUs through NVML (package nvidia-ml-py).

The energy counter is preferred (Volta and later), then the driver's buffer of power samples, then
instantaneous power (field 186), then the older power call. Boards are named by UUID, so ranks and
nodes can be merged without counting a board twice. A missing symbol, or a GPU that falls off the
bus, disables that reading only.

Only the boards that CUDA would show to this process are metered, see `nvml_boards`. HBM is part of
its board. The module of a superchip contains the board; it has a counter (field 191) or a power.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from energy.meters import limits, nvml_state, sensors
from energy.meters.base import BaseSource, Domain, missing
from energy.meters.limits import W_PER_MW
from energy.meters.nvml_boards import Board, visible_boards
from energy.meters.nvml_samples import BufferedPower, has_samples
from energy.meters.silence import silence

J_PER_MJ = 1e-3
TICK_S = 0.1
"""Nominal update period of the energy counter and of the power sensor."""

GPU_SCOPE, MODULE_SCOPE, MEMORY_SCOPE = 0, 1, 2
"""NVML's scopes of a power field."""

COUNTERS = ("counter", "energy")
"""The methods whose values are joules."""

ECHO = 1.001
"""A module counts more than its board by this factor at least."""

SUPERCHIPS = ("GH200", "GB200", "GB300")
"""Product names whose module power is a reading of its own."""

API = {
    "counter": "nvmlDeviceGetTotalEnergyConsumption",
    "samples": "nvmlDeviceGetSamples, the driver's buffer",
    "instant": "field 186, instantaneous power",
    "power": "nvmlDeviceGetPowerUsage",
}
"""The methods of reading a board, best first."""

ENERGY = "field 191, energy"
"""The counter of a module, which board counters do not have."""


@dataclass
class Reading:
    """One value of one board, and how it is read."""

    id: str
    handle: Any
    method: str
    scope: int = GPU_SCOPE


class Noticed:
    """The binding, which says so before each call about a board.

    Args:
        binding: the binding.
        before: is called before each call.
    """

    def __init__(self, binding: Any, before: Callable[[], None]) -> None:
        self._binding, self._before = binding, before

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._binding, name)
        if not name.startswith("nvmlDevice"):
            return value

        def call(*arguments: Any) -> Any:
            self._before()
            return value(*arguments)

        setattr(self, name, call)
        return call


class Nvml(BaseSource):
    """The GPUs that the driver lists and this process may use.

    Args:
        visible: list of boards as in CUDA_VISIBLE_DEVICES, which is the default; "" is none.
    """

    name = "nvml"

    def __init__(self, visible: str | None = None) -> None:
        self._visible = os.environ.get("CUDA_VISIBLE_DEVICES") if visible is None else visible
        self._readings: list[Reading] = []
        self._boards: dict[str, Any] = {}
        self._buffered: BufferedPower | None = None
        self._nvml: Any = None

    def probe(self) -> list[Domain]:
        """GPUs with the best method that each supports; none without a driver."""
        nvml = binding()
        if nvml is None:
            return []
        nvml = self._nvml = Noticed(nvml, lambda: self.alive())
        try:
            nvml.nvmlInit()
            boards = visible_boards(nvml, self._visible)
        except nvml.NVMLError as error:
            return [missing("gpu", "gpu", "NVML", f"driver: {error}", "nvidia-smi")]
        if not boards and self._visible is not None:
            self.absent = f"CUDA_VISIBLE_DEVICES={self._visible!r} shows no board to this run"
        domains = []
        for board in boards:
            if board.handle is None:
                reason = "the board does not answer"
                domains.append(missing(board.id, "gpu", "NVML", reason, "nvidia-smi -q"))
            else:
                domains += self._board(board)
        buffers = {r.id: r.handle for r in self._readings if r.method == "samples"}
        self._buffered = BufferedPower(nvml, buffers) if buffers else None
        return domains

    def read(self) -> dict[str, float | None]:
        """Joules of the counters; None for a board that did not answer."""
        return {reading.id: self._joules(reading) for reading in self._counted()}

    def counters(self) -> dict[str, Callable[[], float | None]]:
        """The energy counters, which tick about ten times a second."""
        return {reading.id: partial(self._joules, reading) for reading in self._counted()}

    def poll_s(self) -> float:
        """Ten readings a second if anything is read by power."""
        return TICK_S if len(self._counted()) < len(self._readings) else 0.0

    def watts(self) -> dict[str, float | None]:
        """Present watts of boards without a counter, of memory and of modules."""
        return self._present_w("instant", "power", "samples")

    def dated_watts(self) -> list[tuple[int, dict[str, float | None]]]:
        """As `watts`, and all samples of the driver's buffer where that is read."""
        if self._buffered is None:
            return super().dated_watts()
        readings = self._buffered.readings()
        others = self._present_w("instant", "power") if readings else {}
        return [(moment, {**others, **watts}) for moment, watts in readings]

    def powers(self) -> dict[str, float | None]:
        """Present watts of the boards that have a counter: instantaneous if available."""
        watts: dict[str, float | None] = {}
        for reading in self._readings:
            if reading.method == "counter":
                instant_w = self._power_w(reading.handle, GPU_SCOPE)
                watts[reading.id] = (
                    instant_w if instant_w is not None else self._raw(reading.handle, "power")
                )
        return watts

    def states(self) -> dict[str, dict[str, Any]]:
        """Limits, clocks and condition of the boards."""
        return {name: nvml_state.state(self._nvml, h) for name, h in self._boards.items()}

    def slowed_by(self) -> dict[str, list[str]]:
        """Why clocks are lower than they could be, of the boards that tell it."""
        reasons = {}
        for name, handle in self._boards.items():
            with contextlib.suppress(self._nvml.NVMLError):
                reasons[name] = nvml_state.slowed_by(self._nvml, handle)
        return reasons

    def close(self) -> None:
        """Shut NVML down."""
        if self._nvml is not None:
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()

    def _board(self, board: Board) -> list[Domain]:
        """A board, with its memory and module if the driver reports their power."""
        uuid, handle, product = board.id, board.handle, board.product
        method = next((name for name in API if self._works(handle, name)), None)
        method = method or self._later(handle)
        if method is None:
            return [missing(uuid, "gpu", "NVML", "neither energy nor power is supported")]
        # On other boards an unsupported module scope echoes the power of the board itself.
        superchip = any(name in product for name in SUPERCHIPS)
        module = superchip and self._power_w(handle, MODULE_SCOPE) is not None
        memory = self._power_w(handle, MEMORY_SCOPE) is not None
        self._readings.append(Reading(uuid, handle, method))
        self._boards[uuid] = handle
        within = f"{uuid}/module" if module else None
        limit_w = limits.of_nvidia_board(self._nvml, handle, product)
        domains = [_domain(uuid, "gpu", method, board, within, limit_w)]
        if module:
            way = "energy" if self._counts_module(handle) else "instant"
            self._readings.append(Reading(f"{uuid}/module", handle, way, MODULE_SCOPE))
            most_w = self._module_limit_w(handle)
            domains.append(_domain(f"{uuid}/module", "module", way, board, None, most_w))
        if memory:
            self._readings.append(Reading(f"{uuid}/hbm", handle, "instant", MEMORY_SCOPE))
            domains.append(_domain(f"{uuid}/hbm", "hbm", "instant", board, uuid, limit_w))
        return domains

    def _works(self, handle: Any, method: str) -> bool:
        """Whether a board can be read by a method."""
        if method == "samples":
            return has_samples(self._nvml, handle)
        return self._raw(handle, method) is not None

    def _later(self, handle: Any) -> str | None:
        """The method of a board that fails now and may answer later; None if none is supported."""
        nvml = self._nvml
        for method, call in (
            ("counter", nvml.nvmlDeviceGetTotalEnergyConsumption),
            ("power", nvml.nvmlDeviceGetPowerUsage),
        ):
            try:
                call(handle)
            except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound):
                continue
            except nvml.NVMLError:
                return method
            return method
        return None

    def _counted(self) -> list[Reading]:
        """What is read by a counter."""
        return [reading for reading in self._readings if reading.method in COUNTERS]

    def _joules(self, reading: Reading) -> float | None:
        if reading.method == "energy":
            return self._energy_j(reading.handle, reading.scope)
        return self._raw(reading.handle, "counter")

    def _counts_module(self, handle: Any) -> bool:
        """Whether field 191 counts the module; where it does not, it may echo the board."""
        module, board = self._energy_j(handle, MODULE_SCOPE), self._energy_j(handle, GPU_SCOPE)
        return module is not None and module > (board or 0.0) * ECHO

    def _module_limit_w(self, handle: Any) -> float:
        """The greatest power limit of the module around a board; 0 if the driver states none."""
        value = self._field(handle, self._nvml.NVML_FI_DEV_POWER_MAX_LIMIT, MODULE_SCOPE)
        return 0.0 if value is None else float(value.uiVal) * W_PER_MW

    def _present_w(self, *methods: str) -> dict[str, float | None]:
        """Present watts of what is read by these methods."""
        return {
            reading.id: self._power_w(reading.handle, reading.scope)
            if reading.method == "instant"
            else self._raw(reading.handle, "power")
            for reading in self._readings
            if reading.method in methods
        }

    def _raw(self, handle: Any, method: str) -> float | None:
        """Joules of the counter, or watts of one of the power calls; None if the call fails."""
        nvml = self._nvml
        try:
            if method == "counter":
                return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) * J_PER_MJ
            if method == "instant":
                return self._power_w(handle, GPU_SCOPE)
            return float(nvml.nvmlDeviceGetPowerUsage(handle)) * W_PER_MW
        except nvml.NVMLError:
            return None

    def _power_w(self, handle: Any, scope: int) -> float | None:
        """Instantaneous watts (field 186) of the GPU, its module or its memory."""
        value = self._field(handle, self._nvml.NVML_FI_DEV_POWER_INSTANT, scope)
        return float(value.uiVal) * W_PER_MW if value is not None and value.uiVal else None

    def _energy_j(self, handle: Any, scope: int) -> float | None:
        """Joules (field 191) of the GPU or its module."""
        value = self._field(handle, self._nvml.NVML_FI_DEV_ENERGY, scope)
        return float(value.ullVal) * J_PER_MJ if value is not None and value.ullVal else None

    def _field(self, handle: Any, field: int, scope: int) -> Any:
        """The value of a field; None if it is not supported or the call fails."""
        nvml = self._nvml
        try:
            (answer,) = nvml.nvmlDeviceGetFieldValues(handle, [(field, scope)])
        except nvml.NVMLError:
            return None
        return answer.value if answer.nvmlReturn == nvml.NVML_SUCCESS else None


def _domain(
    name: str, kind: str, method: str, board: Board, within: str | None, limit_w: float
) -> Domain:
    # Sensors of data-center boards are off by a few percent: Yang et al. SC'24; our default.
    counted = method in COUNTERS
    low, high = (0.93, 1.07) if counted else (0.88, 1.12)
    words = "; ".join(filter(None, (board.product, board.share, board.doubt)))
    domain = Domain(
        id=name,
        kind=kind,
        boundary="chip",
        within=within,
        tick_s=TICK_S,
        never_zero=kind == "gpu",
        limit_w=limit_w,
        method="counter" if counted else "power",
        api=f"NVML {API.get(method, ENERGY)} ({words})",
        low=low,
        high=high,
        source="sensor gain against external meters, by method",
        note="; ".join(filter(None, (board.share, board.doubt))),
    )
    # The driver's buffer keeps what the older power call shows.
    sensor = {"energy": "counter", "samples": "power"}.get(method, method)
    return sensors.of_board(domain, "nvml", board.product, sensor)


def binding() -> Any:
    """The module pynvml, not initialised; None if the driver's library is not there."""
    if not _loadable():
        return None
    with silence():
        import pynvml
    return pynvml


def _loadable() -> bool:
    """Whether the dynamic loader finds the driver's library under the name that pynvml uses.

    It answers in a thousandth of the time of `ctypes.util.find_library`, which starts processes.
    """
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError as error:
        return "No such file" not in str(error)
    return True

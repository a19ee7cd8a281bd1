"""How an NVIDIA board is set and how it fares: limits, clocks, temperature, what slows it down.

These change the watts of equal work, so they stand in the record. What a board does not support is
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from energy.meters.limits import W_PER_MW

S_PER_NS = 1e-9

REASONS = {
    "nvmlClocksEventReasonGpuIdle": "idle",
    "nvmlClocksEventReasonApplicationsClocksSetting": "application clocks",
    "nvmlClocksEventReasonSwPowerCap": "power limit",
    "nvmlClocksEventReasonHwSlowdown": "hardware slowdown",
    "nvmlClocksEventReasonSyncBoost": "sync boost",
    "nvmlClocksEventReasonSwThermalSlowdown": "temperature (driver)",
    "nvmlClocksEventReasonHwThermalSlowdown": "temperature (hardware)",
    "nvmlClocksEventReasonHwPowerBrakeSlowdown": "power brake",
    "nvmlClocksEventReasonDisplayClockSetting": "display clocks",
}
"""NVML's constants for why the clocks are as they are, in words."""

PROFILE = "NVML_POWER_PROFILE_"


def state(nvml: Any, handle: Any) -> dict[str, Any]:
    """The settings and the condition of a board now.

    Returns:
        power_limit_w and power_limit_default_w; clocks in MHz of the multiprocessors (sm) and the
        memory: present, greatest and those that applications get; temperature_c; performance_state;
        persistence_mode; power_profiles; slowed_by, the reasons for the present clocks; and
        slowed_power_s, slowed_thermal_s, the seconds since the driver was loaded in which power or
        temperature kept the clocks down.
    """
    sm, memory = nvml.NVML_CLOCK_SM, nvml.NVML_CLOCK_MEM
    calls: dict[str, Callable[[], Any]] = {
        "power_limit_w": lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle) * W_PER_MW,
        "power_limit_default_w": lambda: (
            nvml.nvmlDeviceGetPowerManagementDefaultLimit(handle) * W_PER_MW
        ),
        "sm_mhz": lambda: nvml.nvmlDeviceGetClockInfo(handle, sm),
        "memory_mhz": lambda: nvml.nvmlDeviceGetClockInfo(handle, memory),
        "sm_greatest_mhz": lambda: nvml.nvmlDeviceGetMaxClockInfo(handle, sm),
        "memory_greatest_mhz": lambda: nvml.nvmlDeviceGetMaxClockInfo(handle, memory),
        "sm_application_mhz": lambda: nvml.nvmlDeviceGetApplicationsClock(handle, sm),
        "memory_application_mhz": lambda: nvml.nvmlDeviceGetApplicationsClock(handle, memory),
        "temperature_c": lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
        "performance_state": lambda: nvml.nvmlDeviceGetPerformanceState(handle),
        "persistence_mode": lambda: bool(nvml.nvmlDeviceGetPersistenceMode(handle)),
        "power_profiles": lambda: _profiles(nvml, handle),
        "slowed_by": lambda: slowed_by(nvml, handle),
        "slowed_power_s": lambda: _slowed_s(nvml, handle, nvml.NVML_PERF_POLICY_POWER),
        "slowed_thermal_s": lambda: _slowed_s(nvml, handle, nvml.NVML_PERF_POLICY_THERMAL),
    }
    return dict(answered(nvml, calls))


def slowed_by(nvml: Any, handle: Any) -> list[str]:
    """Why the clocks are lower than they could be, in words; empty if nothing slows the board.

    Raises:
        NVMLError: the board does not tell.
    """
    try:
        bits = nvml.nvmlDeviceGetCurrentClocksEventReasons(handle)
    except nvml.NVMLError:  # its name in drivers before R535
        bits = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
    return [words for name, words in REASONS.items() if bits & getattr(nvml, name, 0)]


def answered(nvml: Any, calls: dict[str, Callable[[], Any]]) -> Iterator[tuple[str, Any]]:
    """The names and answers of the calls that succeed."""
    for name, call in calls.items():
        try:
            yield name, call()
        except (nvml.NVMLError, AttributeError):  # not supported by the board, or by the binding
            continue


def _profiles(nvml: Any, handle: Any) -> list[str]:
    """The workload power profiles that are in force (Blackwell and later)."""
    current = nvml.c_nvmlWorkloadPowerProfileCurrentProfiles_v1_t()
    nvml.nvmlDeviceWorkloadPowerProfileGetCurrentProfiles(handle, current)
    words = list(current.enforcedProfilesMask.mask)
    numbers = [32 * i + bit for i, word in enumerate(words) for bit in range(32) if word >> bit & 1]
    names = {
        value: name.removeprefix(PROFILE).lower()
        for name, value in vars(nvml).items()
        if name.startswith(PROFILE) and "OPERATION" not in name
    }
    return [names.get(number, str(number)) for number in numbers]


def _slowed_s(nvml: Any, handle: Any, policy: int) -> float:
    """Seconds since the driver was loaded in which a policy kept the clocks down."""
    return float(nvml.nvmlDeviceGetViolationStatus(handle, policy).violationTime) * S_PER_NS

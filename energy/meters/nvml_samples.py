"""Power of NVIDIA boards from the driver's own buffer of samples (nvmlDeviceGetSamples).

The driver keeps the last updates of a board's power sensor, each with its moment. So none is lost
between two polls, nor while the sampler stands still for as long as the buffer reaches back. The
updates are handed on as means over tenths of a second, dated at the beginning of each: a power
counts from its moment to the next.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from energy.meters.limits import W_PER_MW

NS_PER_US = 1000

BIN_NS = 100_000_000
"""The time over which updates are averaged."""

FRESH_NS = 1_000_000_000
"""A board whose last update is older than this has no power at the moment."""

Sample = tuple[int, float]
"""A moment (monotonic ns) and the watts from then on."""


@dataclass
class Buffer:
    """The samples of one board that were not handed on yet."""

    handle: Any
    seen_us: int = 0
    samples: list[Sample] = field(default_factory=list)

    def fetch(self, nvml: Any) -> bool:
        """Take the samples that are new; returns whether the driver answered."""
        now_ns, clock_ns = time.monotonic_ns(), time.time_ns()
        try:
            kind, new = nvml.nvmlDeviceGetSamples(
                self.handle, nvml.NVML_TOTAL_POWER_SAMPLES, self.seen_us
            )
        except nvml.NVMLError as error:
            return bool(error.value == nvml.NVML_ERROR_NOT_FOUND)  # nothing new
        for sample in sorted(new, key=lambda sample: int(sample.timeStamp)):
            moment = now_ns - (clock_ns - sample.timeStamp * NS_PER_US)
            last = self.samples[-1][0] if self.samples else 0
            # The buffer has empty places until it is full, and a clock may have been set.
            if sample.timeStamp > self.seen_us and last < moment <= now_ns + BIN_NS:
                self.seen_us = int(sample.timeStamp)
                self.samples.append((moment, _watts(nvml, kind, sample.sampleValue)))
        return True

    def mean_w(self, start_ns: int, stop_ns: int) -> float | None:
        """Mean watts between two moments; None where the last update is too old to count."""
        before = [s for s in self.samples if s[0] <= start_ns][-1:]
        within = [s for s in self.samples if start_ns < s[0] < stop_ns]
        if not before or start_ns - before[0][0] > FRESH_NS:
            return within[-1][1] if within else None
        steps = [(start_ns, before[0][1]), *within]
        ends = [moment for moment, _ in steps[1:]] + [stop_ns]
        energy = sum(watts * (end - at) for (at, watts), end in zip(steps, ends, strict=True))
        return energy / (stop_ns - start_ns)

    def forget(self, until_ns: int) -> None:
        """Drop the samples before a moment, but for the one that holds there."""
        older = sum(moment <= until_ns for moment, _ in self.samples)
        del self.samples[: max(0, older - 1)]


class BufferedPower:
    """Power of some boards from the buffers of the driver.

    Args:
        nvml: the binding, initialised.
        handles: what NVML calls each board by.
    """

    def __init__(self, nvml: Any, handles: Mapping[str, Any]) -> None:
        self._nvml = nvml
        self._buffers = {name: Buffer(handle) for name, handle in handles.items()}
        self._done_ns = 0

    def readings(self) -> list[tuple[int, dict[str, float | None]]]:
        """Watts of all boards since the last call, by moment; None for one that did not answer."""
        now_ns = time.monotonic_ns()
        answers = {name: buffer.fetch(self._nvml) for name, buffer in self._buffers.items()}
        newest = [b.samples[-1][0] for b in self._buffers.values() if b.samples]
        if not any(answers.values()) or not newest or now_ns - max(newest) > FRESH_NS:
            return [(now_ns, dict.fromkeys(self._buffers))]
        self._done_ns = self._done_ns or max(newest)
        rows: list[tuple[int, dict[str, float | None]]] = []
        oldest = min(b.samples[0][0] for b in self._buffers.values() if b.samples)
        if oldest > self._done_ns + FRESH_NS:  # the buffer does not reach back that far
            rows.append((self._done_ns, dict.fromkeys(self._buffers)))
            self._done_ns = oldest
        # A board that is silent does not keep the others back for longer than it is believed.
        reached = max(min(newest), max(newest) - FRESH_NS)
        while self._done_ns + BIN_NS <= reached:
            start_ns, self._done_ns = self._done_ns, self._done_ns + BIN_NS
            rows.append(
                (
                    start_ns,
                    {
                        name: buffer.mean_w(start_ns, self._done_ns) if answers[name] else None
                        for name, buffer in self._buffers.items()
                    },
                )
            )
        for buffer in self._buffers.values():
            buffer.forget(self._done_ns)
        return rows


def has_samples(nvml: Any, handle: Any) -> bool:
    """Whether the driver keeps fresh samples of a board, and not only zeros."""
    buffer = Buffer(handle)
    if not buffer.fetch(nvml) or len(buffer.samples) < 2:
        return False
    fresh = time.monotonic_ns() - buffer.samples[-1][0] <= FRESH_NS
    return fresh and any(watts for _, watts in buffer.samples)


def _watts(nvml: Any, kind: int, value: Any) -> float:
    """Watts of a value of the type that the driver states."""
    names = {
        nvml.NVML_VALUE_TYPE_DOUBLE: "dVal",
        nvml.NVML_VALUE_TYPE_UNSIGNED_LONG: "ulVal",
        nvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: "ullVal",
        nvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG: "sllVal",
    }
    return float(getattr(value, names.get(kind, "uiVal"))) * W_PER_MW

"""What is switched on and off: products of large matrices on the GPU, or a stand-in for them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Protocol

from energy.errors import MissingDataError

SIZES = (1024, 2048, 4096, 8192, 16384)
"""Sizes n of the square products that are tried."""

MOST_PRODUCT_S = 0.002
"""The largest product that takes no longer is used, so that the load ends when it should."""


class Load(Protocol):
    """A load that can be switched on."""

    def run(self, seconds: float) -> tuple[float, float]:
        """Draw power for some time; return the monotonic moments of its begin and end."""
        ...

    def describe(self) -> dict[str, Any]:
        """What the load is."""
        ...


class Products:
    """Products of bfloat16 matrices of random values, one after the other, on the first GPU.

    Raises:
        MissingDataError: torch is not installed, or sees no GPU.
    """

    def __init__(self) -> None:
        torch = require_cuda()
        self._wait = torch.cuda.synchronize
        self.seconds, self.size = 0.0, 0
        for size in SIZES:
            # Products of zeros would draw less: no bit of them changes.
            matrix = torch.randn(size, size, device="cuda", dtype=torch.bfloat16) / size**0.5
            seconds = self._timed(matrix)
            if self.size and seconds > MOST_PRODUCT_S:
                break
            self._matrix, self.size, self.seconds = matrix, size, seconds

    def _timed(self, matrix: Any) -> float:
        """Median seconds of one product of five, after three to warm up."""
        times = []
        for _ in range(8):
            self._wait()
            begin = time.perf_counter()
            matrix @ matrix
            self._wait()
            times.append(time.perf_counter() - begin)
        return sorted(times[3:])[2]

    def run(self, seconds: float) -> tuple[float, float]:
        """Multiply for some time, with no more than about 4 ms of products in the queue."""
        batch = max(1, round(2 * MOST_PRODUCT_S / self.seconds))
        self._wait()
        begin = now = time.monotonic()
        while now < begin + seconds:
            for _ in range(batch):
                self._matrix @ self._matrix
            self._wait()
            now = time.monotonic()
        return begin, now

    def describe(self) -> dict[str, Any]:
        """Size and rate of the product."""
        return {
            "load": f"bfloat16 products of {self.size} x {self.size}",
            "product_s": self.seconds,
            "product_flop_per_s": 2 * self.size**3 / self.seconds,
        }


class Announced:
    """A load that draws nothing and tells the stand-in for NVML what it would draw.

    Args:
        file: that the stand-in reads the load from.
        high_w: power with the load on.
        low_w: power with the load off.
    """

    def __init__(self, file: Path, high_w: float, low_w: float) -> None:
        self._file, self._high_w, self._low_w = file, high_w, low_w

    def run(self, seconds: float) -> tuple[float, float]:
        """Announce the load for some time."""
        begin = self._announce(self._high_w)
        time.sleep(seconds)
        return begin, self._announce(self._low_w)

    def _announce(self, watts: float) -> float:
        with self._file.open("a") as file:
            now = time.monotonic()
            file.write(f"{now:.6f} {watts}\n")
        return now

    def describe(self) -> dict[str, Any]:
        """That nothing was computed."""
        return {"load": f"announced to the stand-in: {self._low_w:g} to {self._high_w:g} W"}


def require_cuda() -> Any:
    """The module torch.

    Raises:
        MissingDataError: torch is not installed, or sees no GPU.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingDataError("expected torch", str(error)) from error
    if not torch.cuda.is_available():
        raise MissingDataError("expected a GPU that torch can use", f"none by {torch.__version__}")
    return torch

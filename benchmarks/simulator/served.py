"""Serving: processor time of predictions, and the watt model beside measured kernels.

    python -m benchmarks.simulator.served [--kernels DIR] [--json]

Processor time: one `simulator predict`, one `simulator serve`, and 10,000 services in one process,
imports among them; the least of three runs each.

Kernels: DIR has the tables of watts of a B200 in the package aiconfigurator-core 0.12.0
(Apache-2.0), `systems/data/b200_sxm`; this reads them with pyarrow, and nothing of them is shipped.
The terms of `simulator.serving.watts` are evaluated on each kernel's own seconds: bytes and FLOP
over its latency, the rest of its time at the watts of a layer's fixed time. First with the
constants of serving as they are, then with the three of them fitted to half of the shapes and
judged by the other half.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.pages import print_table
from benchmarks.simulator.kernel_tables import BYTES_PER_S, DESIGN_W, TABLES, read_kernels
from energy.console import print_json
from energy.guard import guard
from simulator.fit.least_squares import Objective, descend, soft_l1
from simulator.serving.fitted import shipped_fit
from simulator.serving.watts import LIMIT, SOFTNESS

Array = NDArray[np.float64]
TEN_THOUSAND = """
from dataclasses import replace
import numpy as np
from simulator.serving.fitted import shipped_fit
from simulator.serving.predict import serve
from simulator.serving.request import Request, resolve
fitted = shipped_fit()
one = resolve(Request(model="qwen3-235b-a22b", chip="h100", chips=8), fitted.constants)
serve(replace(one.service, batch=np.geomspace(1, 1000, 10_000)), fitted.constants)
"""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kernels", type=Path, help="folder of the tables of b200_sxm")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: run(options.kernels, as_json=options.json))


def run(kernels: Path | None, *, as_json: bool) -> None:
    """Measure, and print tables or JSON."""
    seconds = {
        "simulator predict": _processor_s("-m", "simulator", "predict", "glam-64b-64e"),
        "simulator serve": _processor_s("-m", "simulator", "serve", "llama3-70b", "--chips", "4"),
        "10,000 services": _processor_s("-c", TEN_THOUSAND),
    }
    watts = kernel_errors(kernels) if kernels else {}
    if as_json:
        print_json({"processor_s": seconds, "kernel_watts": watts})
        return
    print_table(("", "processor time"), [(name, f"{s:.2f} s") for name, s in seconds.items()])
    if watts:
        heads = ("kernels", "rows", "as they are, median", "90th", "half left out, median", "90th")
        print_table(heads, [_cells(name, row) for name, row in watts.items()])


def _processor_s(*arguments: str) -> float:
    """Least processor seconds of three runs of Python with these arguments."""
    least = float("inf")
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        least = min(least, spent)
    return least


def _cells(name: str, row: dict[str, float]) -> tuple[str, ...]:
    shares = ("median", "p90", "left_out_median", "left_out_p90")
    return (name, f"{row['rows']:,.0f}", *(f"{row[share]:.1%}" for share in shares))


def kernel_errors(folder: Path) -> dict[str, dict[str, float]]:
    """Errors of watts by kind of kernel, and of all.

    Raises:
        InputError: a table is not in the folder.
    """
    kernels = read_kernels(folder)
    rate, share, measured = kernels.rate, kernels.share, kernels.watts
    label, half = kernels.kind, kernels.fitted
    c = shipped_fit().constants
    start = np.log([c.joules_a_byte, c.product_w, c.kernel_w])
    fitted = _fit(start, rate[half], share[half], measured[half])
    errors = [np.abs(predicted(x, rate, share) / measured - 1) for x in (start, fitted)]
    result = {}
    for name in (*TABLES, "all"):
        of = (label == name) | (name == "all")
        row: dict[str, float] = {"rows": float(of.sum())}
        for prefix, error, mask in (("", errors[0], of), ("left_out_", errors[1], of & ~half)):
            row[f"{prefix}median"] = float(np.median(error[mask]))
            row[f"{prefix}p90"] = float(np.quantile(error[mask], 0.9))
        result[name] = row
    return result


def predicted(x: Array, rate: Array, share: Array) -> Array:
    """Watts of kernels.

    Args:
        x: logarithms of joules a byte, and of the watts of products and of fixed time.
        rate: bytes per second (kernels).
        share: FLOP per second over the peak (kernels).
    """
    c = shipped_fit().constants
    joules, product_w, kernel_w = np.exp(x)
    idle = c.idle * DESIGN_W
    above = DESIGN_W - idle
    busy = np.minimum(share / c.products, 1)
    rest = np.maximum(1 - np.maximum(np.minimum(rate / BYTES_PER_S / c.memory, 1), busy), 0)
    watts = idle + joules * rate + above * (product_w * busy + kernel_w * rest)
    return np.asarray(
        (watts**-SOFTNESS + (LIMIT * DESIGN_W) ** -SOFTNESS) ** (-1 / SOFTNESS), float
    )


def _fit(start: Array, rate: Array, share: Array, measured: Array) -> Array:
    def residuals(x: Array) -> Array:
        return np.asarray(np.log(predicted(x, rate, share) / measured))

    def jacobian(x: Array, r: Array) -> Array:
        steps = 1e-5 * np.eye(len(x))
        return np.stack([(residuals(x + step) - r) / 1e-5 for step in steps], axis=1)

    return descend(
        start,
        Objective(
            residuals=residuals,
            jacobian=jacobian,
            loss=soft_l1(0.1),
            center=start,
            width=np.full(len(start), 3.0),
            clip=lambda x: x,
        ),
        iterations=60,
        least_gain=1e-7,
    ).x


if __name__ == "__main__":
    main()

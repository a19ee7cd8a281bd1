"""Measured attention of prompts: its share of the peak by length, head width, chip and software.

Of each chip and software of the package aiconfigurator-core 0.12.0 (`kernel_tables`), kernels in 16
bits with a causal mask over whole prompts: at least 8,192 tokens, 8 heads and 256 positions. The
share is fitted as top * S / (S + half length) * d / (d + half width), robustly.

    python -m benchmarks.simulator.kernel_attention DIR [--write PAGE]

DIR holds the unpacked package.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.pages import markdown_table, print_table, write_between
from benchmarks.simulator.kernel_tables import SYSTEMS, Columns, read
from energy.errors import InputError
from energy.facts import catalog
from energy.guard import guard
from simulator.fit.least_squares import Objective, descend, soft_l1

MARK = "attention: benchmarks.simulator.kernel_attention"

CHIPS = {
    "a100_sxm": "a100-sxm4-80gb",
    "h100_sxm": "h100-sxm5-80gb",
    "h200_sxm": "h200-sxm5-141gb",
    "b200_sxm": "b200-sxm-180gb",
    "gb200": "gb200-nvl72",
    "b300_sxm": "b300-sxm-288gb",
    "gb300": "gb300-nvl72",
    "l40s": "l40s-48gb",
}
"""Chips of the catalog by the folders of the package."""

WIDTHS = (64, 128, 192, 256)

START = np.log([0.7, 800.0, 50.0])
"""Top share, half length in positions, half width."""

SHOWN = (1024, 4096, 16384)
"""Lengths of the table's shares, of heads of 128."""

HEADS = ("chip", "software", "kernels", "half length", "half width")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Prompts:
    """Kernels of one chip and software.

    Attributes:
        length: positions of a prompt.
        width: of a head.
        share: of the 16-bit peak, of the FLOP below the diagonal.
    """

    length: Array
    width: Array
    share: Array


def prompts(table: Columns, peak: float) -> Prompts:
    """The kernels of a table that train alike: causal, in 16 bits, of many tokens."""
    length, width, heads, batch, milliseconds = (
        np.asarray(table[name], float)
        for name in ("isl", "head_dim", "num_heads", "batch_size", "latency")
    )
    chosen = (table["attn_dtype"] == "bfloat16") & (table["kv_cache_dtype"] == "bfloat16")
    chosen &= (table["step"] == 0) & (batch * length >= 8192) & (heads >= 8) & (length >= 256)
    chosen &= np.isin(width, WIDTHS)
    if "window_size" in table:
        chosen &= table["window_size"] == 0
    share = 2 * batch * heads * width * length**2 / peak / (milliseconds / 1e3)
    return Prompts(length[chosen], width[chosen], share[chosen])


def modelled(x: Array, length: Array, width: Array) -> Array:
    """The share of the peak by the logarithms of top, half length and half width."""
    top, half_length, half_width = np.exp(x)
    return np.asarray(top * length / (length + half_length) * width / (width + half_width))


def fitted(kernels: Prompts) -> Array:
    """The logarithms that fit kernels best."""

    def residuals(x: Array) -> Array:
        return np.asarray(np.log(modelled(x, kernels.length, kernels.width) / kernels.share))

    def jacobian(x: Array, r: Array) -> Array:
        steps = 1e-5 * np.eye(len(x))
        return np.stack([(residuals(x + step) - r) / 1e-5 for step in steps], axis=1)

    objective = Objective(
        residuals=residuals,
        jacobian=jacobian,
        loss=soft_l1(0.1),
        center=START,
        width=np.full(len(START), 2.0),
        clip=lambda x: x,
    )
    return descend(START, objective, iterations=60, least_gain=1e-7).x


def rows(folder: Path) -> Iterator[tuple[str, ...]]:
    """A row of the table a chip and software.

    Raises:
        InputError: the package is not in the folder.
    """
    for system, chip in CHIPS.items():
        tables = sorted((folder / SYSTEMS / system / "attention").glob("*/*/context_*.parquet"))
        if not tables:
            raise InputError(
                "expected tables of aiconfigurator-core",
                f"none of attention in {folder / SYSTEMS / system}",
                "pip download it, and unpack it",
            )
        for path in tables:
            kernels = prompts(
                read(path.parent, path.name), catalog.chip(chip).peak_flop_per_s("bf16")
            )
            x = fitted(kernels)
            errors = np.abs(modelled(x, kernels.length, kernels.width) / kernels.share - 1)
            of_one_width = len(np.unique(kernels.width)) == 1
            shares = modelled(x, np.array(SHOWN, float), np.full(len(SHOWN), 128.0))
            yield (
                chip,
                f"{path.parts[-3]} {path.parts[-2]}",
                f"{len(kernels.share):,}",
                f"{np.exp(x[1]):,.0f}",
                "-" if of_one_width else f"{np.exp(x[2]):.0f}",
                *(f"{share:.0%}" for share in shares),
                f"{np.median(errors):.0%}",
            )


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where the package was unpacked")
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    options = parser.parse_args()
    guard(lambda: run(options.folder, options.write))


def run(folder: Path, page: Path | None) -> None:
    """Fit, print, and write into a page.

    Raises:
        InputError: the package is not in the folder, or the page has no place for the table.
    """
    heads = (*HEADS, *(f"share of the peak at {length:,}" for length in SHOWN), "median error")
    table = list(rows(folder))
    print_table(heads, table)
    if page:
        write_between(page, MARK, markdown_table(heads, table))


if __name__ == "__main__":
    main()

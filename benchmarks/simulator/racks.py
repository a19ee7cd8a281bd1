"""Wide expert parallelism in a rack of 72 chips, beside the same chips in nodes of 8.

DeepSeek-V3 with ZeRO 3, full recomputation and micro-batches of 4 sequences on 256 chips: a step by
the degree of expert parallelism. Everything is modelled.

    python -m benchmarks.simulator.racks [--write PAGE]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pages import markdown_table, print_table, write_between
from energy.facts import catalog
from energy.guard import guard
from simulator.fit.pool import published_pool
from simulator.physics.hardware import Hardware
from simulator.physics.plan import Plan
from simulator.physics.step import step

MARK = "racks: benchmarks.simulator.racks"

MODEL, CHIPS, BATCH = "deepseek-v3", 256, 4096

DEGREES = (8, 16, 32, 64, 128)

BOARDS = ("gb200-nvl72", "b200-sxm-180gb")

HEADS = (
    "expert parallel",
    *(f"{board}: {part}" for board in BOARDS for part in ("step", "experts", "their messages")),
)


def rows() -> Iterator[tuple[str, ...]]:
    """Seconds of a step, of its experts, and of their messages that nothing hides, by degree."""
    shape = catalog.model(MODEL).shape
    for degree in DEGREES:
        plan = Plan(
            n_chips=CHIPS,
            ep=degree,
            zero=3,
            global_batch=BATCH,
            micro_batch=4,
            recompute="full",
            flash=True,
            activation_bytes=2,
        )
        cells = []
        for board in BOARDS:
            chip = catalog.chip(board)
            constants = published_pool().constants(
                architecture=chip.architecture or "", software="megatron"
            )
            taken = step(shape, plan, Hardware.from_chip(chip, "bf16", constants), constants)
            parts = (taken.step_s, taken.seconds["experts"], taken.seconds["expert_parallel"])
            cells += [f"{float(seconds):.1f} s" for seconds in parts]
        yield (f"{degree}", *cells)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    options = parser.parse_args()
    guard(lambda: run(options.write))


def run(page: Path | None) -> None:
    """Print the table, and write it into a page.

    Raises:
        InputError: the page has no place for the table.
    """
    table = list(rows())
    print_table(HEADS, table)
    if page:
        write_between(page, MARK, markdown_table(HEADS, table))


if __name__ == "__main__":
    main()

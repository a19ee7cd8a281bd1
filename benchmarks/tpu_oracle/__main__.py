"""Ask the TPU compiler what layers of GLaM cost, and write the page that compares; without a TPU.

`compile` makes a Python environment of its own, compiles one program after the other in a child
process each, and keeps every answer at once, so that it can be stopped and started again. `page`
writes docs/tpu.md from the answers, without jax.

    python -m benchmarks.tpu_oracle compile [--only 8b-64e] [--environment DIR] [--timeout 1200]
    python -m benchmarks.tpu_oracle page
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.process import ROOT, environment_with, run_process
from benchmarks.tpu_oracle.cases import SLICES, Case, cases
from benchmarks.tpu_oracle.rows import ROWS, Row, read_rows, write_rows
from energy.errors import InputError
from energy.files import require_writable
from energy.guard import guard

PACKAGES = ("jax==0.10.2", "jaxlib==0.10.2", "libtpu==0.0.52", "numpy==2.4.6")
"""As in the extra tpu-oracle."""


def main() -> None:
    """Run the command; an error becomes one line and an exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tpu_oracle", description=__doc__.splitlines()[0]
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    compiling = verbs.add_parser("compile", help="ask the compiler")
    compiling.add_argument("--only", default="", help="programs whose name has this text")
    compiling.add_argument("--again", action="store_true", help="also those that have an answer")
    compiling.add_argument("--timeout", type=float, default=1200, help="seconds for a program")
    compiling.add_argument(
        "--environment", type=Path, help="folder of the environment, to keep it (a temporary one)"
    )
    verbs.add_parser("page", help="write docs/tpu.md from the answers")
    options = parser.parse_args()
    guard(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    if options.verb == "page":
        from benchmarks.tpu_oracle.page import write_page

        write_page()
        return
    compile_all(options.only, options.again, options.timeout, options.environment)


def compile_all(only: str, again: bool, timeout_s: float, environment: Path | None) -> None:
    """Compile the programs and keep the answers.

    Raises:
        InputError: no program has that name, or the file of answers cannot be written.
        AccountingError: pip failed, or the environment does not have the compiler.
    """
    require_writable(ROWS)
    chosen = [case for case in cases() if only in case.name]
    if not chosen:
        names = ", ".join(case.name for case in cases()[:3])
        raise InputError("expected text that is in the name of a program", only, f"such as {names}")
    with tempfile.TemporaryDirectory() as temporary:
        python = environment_with(environment or Path(temporary) / "environment", PACKAGES)
        # A folder that is something else is refused here, not by every program.
        run_process([python, "-c", "import jax, libtpu"])
        for case in chosen:
            known = {row.case: row for row in read_rows()}
            if case in known and not again:
                continue
            print(f"compiling {case.name}", file=sys.stderr)
            answer = ask(python, case, timeout_s) | {"date": f"{datetime.now(UTC):%Y-%m-%d}"}
            known[case] = Row(case, answer)
            order = {each: place for place, each in enumerate(cases())}
            write_rows(sorted(known.values(), key=lambda row: order.get(row.case, len(order))))


def ask(python: str, case: Case, timeout_s: float) -> dict[str, Any]:
    """What the compiler says of one program; that it took too long or died is an answer too."""
    question = json.dumps(case.sizes() | {"slice": SLICES[case.chips], "scan": case.scan()})
    try:
        finished = subprocess.run(
            [python, "-m", "benchmarks.tpu_oracle.inside"],
            input=question,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    except subprocess.TimeoutExpired:
        return {"not_compiled": f"not done in {timeout_s:g} s"}
    if finished.returncode:
        last = (finished.stderr.strip().splitlines() or ["no message"])[-1]
        return {"not_compiled": f"exit code {finished.returncode}: {last[:300]}"}
    answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    main()

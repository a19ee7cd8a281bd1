"""Golden values of GLaM from its authors' framework, Praxis 1.4.0, which runs on a CPU.

Makes a Python environment of its own in a temporary folder, runs small seeded models in it, and
writes what they compute to tests/golden/glam: logits, losses and gradients of a mixture and a dense
model, with and without drops; optimizer steps; slots of experts; moments of the first weights.

    python -m benchmarks.glam_reference [--out tests/golden/glam] [--environment DIR]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO

from benchmarks.process import ROOT, environment_with, run_process
from energy.errors import InputError
from energy.files import require_writable, write_atomic, write_text_atomic
from energy.guard import guard

FRAMEWORK = "praxis==1.4.0"
"""Installed without its dependencies, most of which only its input code needs."""
PACKAGES = (
    "jax==0.4.26",
    "jaxlib==0.4.26",
    "numpy==1.26.4",
    "scipy==1.12.0",
    "flax==0.8.2",
    "optax==0.2.2",
    "chex==0.1.86",
    "fiddle==0.3.0",
    "etils==1.7.0",
    "einops==0.7.0",
    "jaxtyping==0.2.28",
    "typeguard==2.13.3",
    "opt-einsum==3.3.0",
    "absl-py==1.4.0",
    "sympy",
)
NEWEST_PYTHON = (3, 12)
"""For which jaxlib 0.4.26 was built."""


def main() -> None:
    """Run the command; an error becomes one line and an exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path("tests/golden/glam"), help="folder for the golden files"
    )
    parser.add_argument(
        "--environment", type=Path, help="folder of the environment, to keep it (a temporary one)"
    )
    options = parser.parse_args()
    guard(lambda: write_golden(options.out, options.environment))


def write_golden(out: Path, environment: Path | None) -> None:
    """Make the environment unless it is there, run the framework in it, and write its values.

    Raises:
        InputError: this Python is too new for the framework, or the folder cannot be written.
        AccountingError: pip or the framework failed.
    """
    if sys.version_info[:2] > NEWEST_PYTHON:
        raise InputError(
            "expected Python 3.12 or older, for jaxlib 0.4.26",
            sys.version.split()[0],
            "run it with python3.11 -m benchmarks.glam_reference",
        )
    require_writable(out / "versions.json")
    with tempfile.TemporaryDirectory() as temporary:
        folder = environment or Path(temporary) / "environment"
        python = environment_with(folder, PACKAGES, alone=[FRAMEWORK])
        results = Path(temporary) / "results"
        results.mkdir()
        print("running the framework, about a minute", file=sys.stderr)
        run_process([python, "-m", "benchmarks.glam_reference.inside", str(results)], folder=ROOT)
        listed = run_process([python, "-m", "pip", "list", "--format", "json"]).stdout
        versions = {
            "written": f"{datetime.now(UTC):%Y-%m-%d}",
            "command": "python -m benchmarks.glam_reference",
            "python": ".".join(map(str, sys.version_info[:3])),
            "packages": {row["name"]: row["version"] for row in json.loads(listed)},
        }
        for path in sorted(results.iterdir()):
            write_atomic(out / path.name, partial(_write, content=path.read_bytes()))
        write_text_atomic(out / "versions.json", json.dumps(versions, indent=1) + "\n")
    print(f"written to {out}", file=sys.stderr)


def _write(file: IO[bytes], *, content: bytes) -> None:
    file.write(content)


if __name__ == "__main__":
    main()

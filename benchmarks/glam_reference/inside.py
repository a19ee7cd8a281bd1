"""Runs the framework, inside the environment that `python -m benchmarks.glam_reference` makes.

python -m benchmarks.glam_reference.inside FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.glam_reference import standins


def main() -> None:
    """Write all golden files into the folder on the command line."""
    standins.install()
    from benchmarks.glam_reference import framework

    framework.write(Path(sys.argv[1]))


if __name__ == "__main__":
    main()

"""Parts that several tests share."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"


def unmeasured_environment() -> dict[str, str]:
    """The environment of a process whose code coverage is not measured.

    A process whose files may not grow cannot write the data of coverage either.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}

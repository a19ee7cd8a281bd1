"""Results of all commands on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from energy._lazy import version


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Print one JSON document on stdout; pydantic models and arrays inside are converted."""
    print(json.dumps(value, indent=1, default=plain, allow_nan=False))


def print_version(requested: bool) -> None:
    """Print the version of the package and exit: the callback of an eager option --version."""
    if requested:
        print(version())
        sys.exit(0)


def plain(value: Any) -> Any:
    """Convert what JSON has no form for: models become tables, arrays lists."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")

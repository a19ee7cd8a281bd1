"""How every command speaks: results on stdout, talk and errors on stderr, telling exit codes.

Exit codes: 0 yes, 1 bug, 2 usage or bad input, 3 infeasible, 4 data missing or fallback refused,
5 outside tolerance, 126 and 127 a command that cannot be run or is not there, 130 interrupted.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from energy.errors import AccountingError


def guard(app: Callable[[], object]) -> None:
    """Run a command-line application and turn our errors into one clear line and an exit code."""
    try:
        app()
    except AccountingError as error:
        fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        fail("interrupted", 130)
    except BrokenPipeError:
        # The reader of our output went away (a pager, head): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        place = f" {error.filename}" if error.filename else ""
        fail(
            f"expected to write{place}; got {(error.strerror or '').lower()}; "
            "free some space or choose another folder",
            2,
        )


def fail(message: str, code: int) -> None:
    """Say what is wrong in one line on stderr and leave with an exit code."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Print one JSON document on stdout; pydantic models inside are dumped."""
    print(json.dumps(value, indent=1, default=_plain, allow_nan=False))


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")

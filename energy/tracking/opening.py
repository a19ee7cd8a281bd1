"""Before a run is metered: its folder and its meters, and what its sampler needs to know."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from energy.errors import InputError
from energy.files import make_folder, unwritable
from energy.ledger.lines import FILE, is_finished, require_ledger, require_own
from energy.ledger.writer import create
from energy.meters.visible import selection
from energy.sampler.seat import boot_id


def prepare(folder: Path, *, group: bool, goes_on: bool) -> Path:
    """Make the folder and the ledger of a run.

    Args:
        folder: of the run.
        group: whether the user's group may read what is in it.
        goes_on: whether the run goes on with a run whose ledger is there.

    Returns:
        The ledger, without links.

    Raises:
        InputError: there is a finished run, a file that is no ledger, or no way to write.
    """
    path = require_own(folder / FILE)
    if path.exists() and path.stat().st_size:
        require_ledger(path)
        if not goes_on and is_finished(path):
            raise InputError(
                "expected a folder without a finished run",
                str(folder),
                "choose another folder, or pass resume_at={} to add to that run",
            )
    make_folder(folder, group=group)
    try:
        os.close(create(path, group))
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def is_imported_again() -> bool:
    """Whether multiprocessing is importing the script in a new process, as `spawn` does.

    It imports the script under another name before it runs what the process is for, and refuses to
    start processes meanwhile (`multiprocessing.spawn._check_not_importing_main`).
    """
    process = sys.modules.get("multiprocessing.process")
    return process is not None and getattr(process.current_process(), "_inheriting", False)


def requested(meters: str | list[str]) -> str | list[str]:
    """The meters as the sampler needs them: "auto", or a list of names that all exist.

    Raises:
        InputError: there is no such meter.
    """
    if meters == "auto":
        return "auto"
    from energy.meters import sources

    names = [meters] if isinstance(meters, str) else meters
    sources.require(names)
    return [f"{name}:{os.getpid()}" if name == "cpu_tree" else name for name in names]


def settings(
    path: Path,
    run: dict[str, Any],
    meters: str | list[str],
    interval_s: float,
    start_s: float,
) -> dict[str, Any]:
    """What a sampler needs to know; `header` becomes the header row of the ledger.

    Args:
        path: the ledger.
        run: the part of the header that the run itself knows.
        meters: the meters to read.
        interval_s: between samples on disk.
        start_s: when the run began, by the monotonic clock.
    """
    from energy.ledger.environment import machine
    from energy.ledger.job import job

    header = {
        **run,
        "boot": boot_id(),
        "host": platform.node(),
        "pid": os.getpid(),
        "job": job().as_dict(),
        "machine": machine(),
    }
    return {
        "ledger": str(path),
        "meters": meters,
        "interval_s": interval_s,
        "start_s": start_s,
        "header": header,
        # Runs that read the same devices with the same meters and interval share one reader.
        "choice": [meters, interval_s, selection(), os.getcwd()],
    }


def qualified_name(callback: Callable[[], object] | None) -> str | None:
    """Module and name of a callback, for the ledger."""
    if callback is None:
        return None
    name = getattr(callback, "__qualname__", type(callback).__name__)
    return f"{getattr(callback, '__module__', '')}.{name}"

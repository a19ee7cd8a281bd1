"""The program that writes the ledger, in a process of its own that nothing in training can stop.

It is started by path (`python energy/sampler/__main__.py SETTINGS`). It reads every counter once
per interval and takes rows (windows, marks) from its standard input. If that closes without a
goodbye, the parent has died: the process writes a last sample and ends. It imports nothing but the
standard library and light modules of energy, and pynvml if there is a driver.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

if __name__ == "__main__":  # started by path
    # The package is loaded from this file's location without putting any folder on the path: a file
    # beside the package (in site-packages, say a backport of `dataclasses`) must not hide a module
    # of the standard library.
    del sys.path[0]
    _home = Path(__file__).resolve().parent.parent
    _spec = importlib.util.spec_from_file_location("energy", _home / "__init__.py")
    if _spec is not None and _spec.loader is not None:
        sys.modules["energy"] = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(sys.modules["energy"])

from energy.ledger import lines as ledger
from energy.ledger.writer import LedgerInUseError, Writer
from energy.sampler.calls import DISK, Calls
from energy.sampler.metering import MeteringProcess
from energy.sampler.retries import answers


def main() -> None:
    """Meter until the run closes its end or dies; argv holds the settings as one JSON object."""
    settings = json.loads(sys.argv[1])
    if "try" in settings:
        sys.exit(0 if answers(settings["try"]) else 1)
    # Ctrl-C reaches the whole foreground group; the last row is written when the parent is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # A run that is stopped reads no signs of life.
    os.set_blocking(1, False)
    with contextlib.suppress(OSError):
        # Where permitted: a busy machine must not delay the polls of a counter.
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    calls = Calls()
    try:
        writer = Writer(Path(settings["ledger"]), partial(calls.make, DISK))
    except LedgerInUseError:
        with contextlib.suppress(OSError):
            os.write(1, ledger.TAKEN)
        return
    MeteringProcess(settings, writer, calls, __file__).run()


if __name__ == "__main__":
    main()

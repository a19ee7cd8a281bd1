"""The processes of a run: those of a launcher, or this one alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from energy.errors import AccountingError, InputError
from glam.config import GlamConfig
from glam.device import choose_device
from glam.distributed.degrees import Parallelism, place, require_degrees
from glam.distributed.processes import Processes


@contextmanager
def connected(parallelism: Parallelism, config: GlamConfig, out: Path) -> Iterator[Processes]:
    """Connect the processes that a launcher has started; without one, there is this one alone.

    Args:
        parallelism: degrees that the user chose.
        config: configuration of the run.
        out: folder of the run.

    Raises:
        InputError: the degrees do not fit processes, model or batch; the processes have different
            settings; or processes are missing.
        SystemExit: the same in all processes but the first, so that it is said once.
    """
    here = place()
    if here is None:
        if parallelism.chosen:
            raise InputError(
                "expected several processes for --expert-parallel, --data-parallel or --shard",
                "one",
                "start them: torchrun --nproc-per-node 2 -m glam train ...",
            )
        yield Processes()
        return
    from glam.distributed.meeting import settle
    from glam.distributed.ranks import ranks
    from glam.distributed.voice import after_the_first

    with after_the_first(here.rank):
        with said_once(parallelism.timeout_s):
            degrees = require_degrees(parallelism, here.ranks, config)
            device = choose_device(config.training.device)
        settings = {
            **config.as_dict(),
            "parallelism": asdict(degrees),
            "out": str(out),
            "device": device.type,
            "torch": version("torch"),
        }
        store = settle(here, parallelism.timeout_s, (None, settings))
        with ranks(here, degrees, device, store) as processes:
            yield processes


@contextmanager
def said_once(timeout_s: float) -> Iterator[None]:
    """Let the first process say an error that this one has before they meet in `connected`.

    Args:
        timeout_s: seconds to wait for the others.

    Raises:
        AccountingError: in the first process; also in this one if they do not meet.
        SystemExit: in the others.
    """
    try:
        yield
    except AccountingError as error:
        here = place()
        if here is None:
            raise
        from glam.distributed.meeting import settle
        from glam.distributed.voice import after_the_first

        with after_the_first(here.rank):
            settle(here, timeout_s, (error, {}))

"""The processes of a run: those of a launcher, or this one alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from energy.errors import AccountingError, InputError
from glam.config import GlamConfig
from glam.device import choose_device
from glam.distributed.degrees import Parallelism, place, require_degrees
from glam.distributed.processes import Processes


@contextmanager
def connected(parallelism: Parallelism, config: GlamConfig) -> Iterator[Processes]:
    """Connect the processes that a launcher has started; without one, there is this one alone.

    Raises:
        InputError: the degrees do not fit processes, model or batch; or processes are missing.
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
    from glam.distributed.group import raise_once
    from glam.distributed.ranks import ranks

    try:
        degrees = require_degrees(parallelism, here.ranks, config)
        device = choose_device(config.training.device)
    except AccountingError as error:
        raise_once(here.rank, error)
    with ranks(here, degrees, device) as processes:
        yield processes

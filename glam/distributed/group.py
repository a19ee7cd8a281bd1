"""Connecting the processes of a run, and what is said where one of them fails."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from energy.errors import AccountingError, InputError
from glam.distributed.degrees import Place

BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}
"""Who carries the messages of a device; gloo also those of checkpoints."""


POLL_S = 0.05
"""Between two looks at whether all processes have done a long piece of work."""


def raise_once(rank: int, error: AccountingError) -> NoReturn:
    """Raise an error that all processes have in the first one; the others end without a word.

    Raises:
        AccountingError: the error, in the first process.
        SystemExit: its exit code, in the others.
    """
    if rank == 0:
        raise error
    raise SystemExit(error.exit_code)


@contextmanager
def group_of(place: Place, timeout_s: float, device: torch.device) -> Iterator[None]:
    """Connect this process to the others.

    Raises:
        InputError: they cannot be reached.
    """
    where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    timeout = timedelta(seconds=timeout_s)
    try:
        meeting = rendezvous("env://", place.rank, place.ranks, timeout=timeout)
        store, rank, ranks = next(meeting)
        # torchrun's store outlives the processes that it restarts (torch 2.13 takes it for a new
        # one), so that they would look for each other at the addresses of those before.
        dist.init_process_group(
            BACKENDS[device.type],
            store=PrefixStore(f"attempt-{place.attempt}", store),
            timeout=timeout,
            rank=rank,
            world_size=ranks,
        )
    except (dist.DistError, RuntimeError, ValueError) as error:
        raise InputError(
            f"expected {place.ranks} processes to meet at {where} within {timeout_s:g} s",
            str(error).splitlines()[0],
            "check MASTER_ADDR, MASTER_PORT and WORLD_SIZE, or raise --timeout",
        ) from error
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dist.destroy_process_group()


def announce(key: str) -> None:
    """State that a piece of work is done."""
    _store().set(key, "1")


def wait_for(key: str) -> None:
    """Wait until a process has announced a piece of work, without a limit.

    A process that fails meanwhile makes the launcher end the others.
    """
    while not _store().check([key]):
        time.sleep(POLL_S)


def everyone(ranks: int) -> None:
    """Wait until all processes are here, without a limit."""
    _store().add("here", 1)
    while _store().add("here", 0) < ranks:
        time.sleep(POLL_S)


def _store() -> Any:
    return dist.distributed_c10d._get_default_store()

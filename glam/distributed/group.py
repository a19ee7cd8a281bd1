"""Connecting the processes of a run, and waiting for each other outside of messages."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from glam.distributed.degrees import Place
from glam.distributed.meeting import meet, not_met
from glam.distributed.voice import Voice

BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}
"""Who carries the messages of a device; gloo also those of checkpoints."""


POLL_S = 0.05
"""Between two looks at whether all processes have done a long piece of work."""


@contextmanager
def group_of(
    place: Place, timeout_s: float, device: torch.device, store: Any = None
) -> Iterator[None]:
    """Connect this process to the others.

    Args:
        place: of this process.
        timeout_s: seconds that a message may take.
        device: of this process.
        store: where they have met; by default they meet now.

    Raises:
        InputError: they cannot be reached.
    """
    store = store or meet(place, timeout_s)
    try:
        dist.init_process_group(
            BACKENDS[device.type],
            store=store,
            timeout=timedelta(seconds=timeout_s),
            rank=place.rank,
            world_size=place.ranks,
        )
    except (dist.DistError, RuntimeError, ValueError) as error:
        raise not_met(place, timeout_s, error) from error
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dist.destroy_process_group()


def store_of_group() -> Any:
    """Return the store of the connected processes."""
    return dist.distributed_c10d._get_default_store()


def announce(key: str) -> None:
    """State that a piece of work is done."""
    store_of_group().set(key, "1")


def wait_for(key: str, voice: Voice) -> None:
    """Wait until a process has announced a piece of work, without a limit; end if one fails."""
    while not store_of_group().check([key]):
        voice.listen()
        time.sleep(POLL_S)


def everyone(ranks: int, voice: Voice) -> None:
    """Wait until all processes are here, without a limit; end if one fails."""
    store_of_group().add("here", 1)
    while store_of_group().add("here", 0) < ranks:
        voice.listen()
        time.sleep(POLL_S)

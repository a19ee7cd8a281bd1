"""Where the processes of a run meet, and what they must have alike before they train together."""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from energy.errors import AccountingError, InputError
from glam.config import differences
from glam.distributed.degrees import Place
from glam.distributed.voice import of_rank, raise_once

Account = tuple[AccountingError | None, dict[str, Any]]
"""What a process brings to the meeting: its error if it has one, else its settings."""

PATIENCE_S = 60.0
"""How long a process with an error waits for others, before it says it itself."""

NAMED = 3
"""Differences of settings that an error names."""


def meet(place: Place, timeout_s: float) -> Any:
    """Return the store of the processes of this attempt.

    Raises:
        InputError: it cannot be reached, or the others do not come to it.
    """
    try:
        meeting = rendezvous(
            "env://", place.rank, place.ranks, timeout=timedelta(seconds=timeout_s)
        )
        store, _, _ = next(meeting)
    except (dist.DistError, RuntimeError, ValueError) as error:
        raise not_met(place, timeout_s, error) from error
    # torchrun's store outlives the processes that it restarts (torch 2.13 takes it for a new one),
    # so that they would look for each other at the addresses of those before.
    return PrefixStore(f"attempt-{place.attempt}", store)


def not_met(place: Place, timeout_s: float, error: Exception) -> InputError:
    """Return the error of processes that do not meet."""
    where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    return InputError(
        f"expected {place.ranks} processes to meet at {where} within {timeout_s:g} s",
        str(error).splitlines()[0],
        "check MASTER_ADDR, MASTER_PORT and WORLD_SIZE, or raise --timeout",
    )


def settle(place: Place, timeout_s: float, own: Account) -> Any:
    """Meet, and compare what all processes bring; an error or a difference ends them all.

    Args:
        place: of this process.
        timeout_s: seconds to wait for the others.
        own: what this process brings.

    Returns:
        The store where they have met.

    Raises:
        AccountingError: in the first process; in any that meets no other.
        SystemExit: in the others.
    """
    error, _ = own
    if error is not None:
        timeout_s = min(timeout_s, PATIENCE_S)
    try:
        store = meet(place, timeout_s)
        every = _exchanged(place, store, timeout_s, own)
    except InputError as alone:
        raise (of_rank(place.rank, error) if error else alone) from alone
    errors = [(rank, error) for rank, (error, _) in enumerate(every) if error is not None]
    if errors:
        rank, error = errors[0]
        raise_once(place.rank, of_rank(rank, error) if rank else error)
    require_alike(place.rank, [settings for _, settings in every])
    return store


def require_alike(rank: int, every: Sequence[dict[str, Any]]) -> None:
    """Check that all processes have the same settings.

    Args:
        rank: of this process.
        every: settings of each, which may be tables of settings.

    Raises:
        InputError: in the first process: they differ.
        SystemExit: in the others.
    """
    for other, settings in enumerate(every):
        if changes := differences(every[0], settings):
            said = ", ".join(
                f"{name} = {new} (rank 0: {old})" for name, old, new in changes[:NAMED]
            )
            raise_once(
                rank,
                InputError(
                    "expected the same settings in all processes",
                    f"on rank {other} {said}",
                    "start all with the same command, versions and files",
                ),
            )


def _exchanged(place: Place, store: Any, timeout_s: float, own: Account) -> list[Account]:
    """Return what each process brings.

    Raises:
        InputError: one does not come in time.
    """
    every: list[Account] = []
    try:
        store.set(f"brings/{place.rank}", pickle.dumps(own))
        for rank in range(place.ranks):
            store.wait([f"brings/{rank}"], timedelta(seconds=timeout_s))
            every.append(pickle.loads(store.get(f"brings/{rank}")))
    except (dist.DistError, RuntimeError) as error:
        raise not_met(place, timeout_s, error) from error
    return every

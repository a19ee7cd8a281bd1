"""How a run is spread over processes: its degrees, checked before any of them meets another.

Of N = D * E processes, E share out the experts of one copy and D have a copy of each expert. All N
take their part of every batch, so that a weight outside the experts has N copies, or N shards.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from energy.errors import InputError
from energy.shape import Shape, parameters, total
from glam.config import GlamConfig
from glam.moe.capacity import group_tokens
from glam.recipe import require_known

Balance = Literal["global", "local"]

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What a launcher states in the environment of each process."""


@dataclass(frozen=True)
class Parallelism:
    """The degrees of a run on several processes, as the user names them.

    Attributes:
        expert: E, processes that share out the experts; 1 keeps all experts in each.
        data: D, processes with a copy of each expert; 0 stands for all processes over E.
        shard: whether weights, gradients and optimizer are divided among their copies (FSDP).
        balance: whether the load-balancing loss compares the loads of the whole batch, as one
            process does, or those of each process's part (`global`, `local`).
        timeout_s: seconds after which a process that does not answer ends the run.
    """

    expert: int = 1
    data: int = 0
    shard: bool = False
    balance: str = "global"
    timeout_s: float = 600.0

    def __post_init__(self) -> None:
        require_known("balance", self.balance, get_args(Balance))
        for option, value, least in (
            ("--expert-parallel", self.expert, 1),
            ("--data-parallel", self.data, 0),
            ("--timeout", self.timeout_s, 1),
        ):
            if value < least:
                raise InputError(f"expected {option} of at least {least}", f"{value}")

    @property
    def chosen(self) -> bool:
        """Whether the user chose anything that needs several processes."""
        return self.expert > 1 or self.data > 1 or self.shard


@dataclass(frozen=True)
class Place:
    """The place of this process among all of a run.

    Attributes:
        rank: its number, from 0.
        ranks: how many there are.
        local_rank: its number on its machine.
        attempt: how often the launcher has restarted the run.
    """

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0
    attempt: int = 0


def place(environment: Mapping[str, str] = os.environ) -> Place | None:
    """Return the place that a launcher such as torchrun states; None without one.

    Raises:
        InputError: it is stated in part, or is no number.
    """
    missing = [name for name in VARIABLES if not environment.get(name)]
    if "WORLD_SIZE" in missing or "RANK" in missing:
        return None
    fix = "start the run with torchrun, which sets them all"
    if missing:
        raise InputError(f"expected {', '.join(VARIABLES)} in the environment", "a part", fix)
    numbers = {}
    for name, default in (
        ("RANK", ""),
        ("WORLD_SIZE", ""),
        ("LOCAL_RANK", environment["RANK"]),
        ("TORCHELASTIC_RESTART_COUNT", "0"),
    ):
        text = environment.get(name, default)
        if not text.isdigit():
            raise InputError(f"expected a number in {name}", text, fix)
        numbers[name] = int(text)
    rank, ranks, local_rank, attempt = numbers.values()
    if rank >= ranks:
        raise InputError(f"expected RANK below WORLD_SIZE {ranks}", str(rank), fix)
    return Place(rank, ranks, local_rank, attempt)


def is_first() -> bool:
    """Whether this process speaks for the run: the first of several, or the only one."""
    here = place()
    return here is None or here.rank == 0


def require_degrees(parallelism: Parallelism, ranks: int, config: GlamConfig) -> Parallelism:
    """Return the degrees with D filled in, where batch and experts divide by them.

    Raises:
        InputError: they do not.
    """
    shape, expert = config.shape, parallelism.expert
    data = parallelism.data or max(1, ranks // expert)
    if data * expert != ranks:
        divisors = [n for n in range(1, ranks + 1) if ranks % n == 0]
        raise InputError(
            f"expected --expert-parallel times --data-parallel to be the {ranks} processes",
            f"{expert} x {data}",
            f"choose --expert-parallel from {', '.join(map(str, divisors))}, "
            "and leave --data-parallel away",
        )
    if expert > 1 and not shape.n_moe_layers:
        raise InputError(
            "expected a model with experts for --expert-parallel",
            f"the dense {config.name}",
            "leave --expert-parallel away",
        )
    if expert > 1 and shape.n_experts % expert:
        raise InputError(
            f"expected --expert-parallel to divide the {shape.n_experts} experts",
            str(expert),
            "choose a divisor of both processes and experts",
        )
    cut = hidden_shards(parallelism, data, int(shape.n_experts))
    if expert_shards(parallelism, data, config) and cut > 1 and shape.d_expert % cut:
        raise InputError(
            f"expected the hidden width of the experts to be a multiple of their {cut} shards",
            str(shape.d_expert),
            "choose --expert-parallel so that experts are as many as processes, or more",
        )
    _require_even_batch(ranks, config)
    return replace(parallelism, data=data)


def expert_shards(parallelism: Parallelism, data: int, config: GlamConfig) -> bool:
    """Whether the experts themselves are divided among their D copies."""
    return bool(parallelism.shard and config.shape.n_moe_layers and data > 1)


def hidden_shards(parallelism: Parallelism, data: int, n_experts: int) -> int:
    """Return the shards of an expert's hidden width; 1 where whole experts are shared out.

    8 experts on 2 x 4 processes: each has one. On 4 x 4 each would have half an expert: 4 shards
    of each hidden width.
    """
    return 1 if n_experts % (parallelism.expert * data) == 0 else data


def parameters_of_process(degrees: Parallelism, shape: Shape) -> float:
    """Return how many parameters a process has, where D is known."""
    every, ranks = parameters(shape), degrees.expert * degrees.data
    experts = float(every.get("experts", 0.0)) / degrees.expert
    others = float(total(every)) - float(every.get("experts", 0.0))
    return experts / degrees.data + others / ranks if degrees.shard else experts + others


def _require_even_batch(ranks: int, config: GlamConfig) -> None:
    """Raise InputError unless each process gets as many sequences and whole dispatch groups."""
    training = config.training
    sequences = training.batch_sequences // training.gradient_accumulation
    if sequences % ranks:
        raise InputError(
            f"expected the sequences of each micro-batch to divide among {ranks} processes",
            f"{sequences}",
            f"set --batch to a multiple of {ranks * training.gradient_accumulation}",
        )
    if not config.shape.n_moe_layers or config.dispatch.kind == "dropless":
        return
    tokens = config.tokens_per_micro_batch
    group = group_tokens(config.dispatch, tokens)
    if tokens % group or tokens // ranks % group:
        raise InputError(
            f"expected each process's {tokens // ranks} tokens to be whole dispatch groups",
            f"groups of {group}",
            f"set [dispatch] group_tokens to a divisor of {tokens // ranks}, or --router dropless",
        )

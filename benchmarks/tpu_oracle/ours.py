"""What the simulator says of the same programs, and what of a compiler's messages it speaks of."""

from __future__ import annotations

from functools import cache

from benchmarks.tpu_oracle.cases import Case
from benchmarks.tpu_oracle.rows import Row
from benchmarks.tpu_oracle.walk import Message
from energy.facts import catalog
from energy.flops import executed_flop
from simulator.fit.pool import published_pool
from simulator.physics import compute, traffic
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.memory import memory

PURPOSES = ("experts", "experts' cut", "residuals", "weights and gradients")
"""What messages are for: dispatch and combine; slots gathered over y and results scattered; inputs
and results of the other products over y; weights before they are used, and sums of their gradients.
An all-reduce over a whole slice may hold both of the last, so they are one."""

NOT_OF_LAYERS = ("optimizer", "logits")
"""Parts of the memory that forward and backward passes of layers alone do not have."""


@cache
def constants(kind: str) -> Constants:
    """Those that were fitted, for XLA on TPU v4."""
    return published_pool().constants(
        architecture="tpu-v4",
        software="xla-2020",
        framework="",
        release="",
        kind=kind,
        tuned="",
        chip="tpu-v4",
    )


@cache
def chip() -> Hardware:
    """TPU v4."""
    return Hardware.from_chip(catalog.chip("tpu-v4"), "bf16", constants("dense"))


def flop(case: Case) -> dict[str, float]:
    """Of one chip, by part.

    A layer that is computed again does not end with its last product in JAX, since no gradient
    needs the result of a dense network. (The share of an expert needs its result.) The simulator
    counts all products again, as torch's checkpoints compute them.
    """
    shape = case.shape()
    tokens = case.sequences * float(shape.seq_len) / case.chips
    parts = executed_flop(shape, case.plan().flop_execution())
    counted = {
        name: float(per_token) * tokens
        for name, per_token in parts.items()
        if per_token and (case.whole or name != "logits")
    }
    if "logits" in counted:
        counted["other"] = counted.pop("logits")  # which belongs to no layer
    return counted


def computed_again(row: Row) -> float:
    """FLOP that the compiler adds to the program where memory is short, as a share of the program.

    It computes products again rather than keep what they gave.
    """
    said = flop(row.case)
    more = {name: count - said.get(name, 0.0) for name, count in row.answer["flop"].items()}
    return float(sum(extra for extra in more.values() if extra > 0) / sum(said.values()))


def memory_bytes(case: Case) -> dict[str, float]:
    """Of one chip, by part, with the arguments and results of the program.

    Of layers these are the input, the output and their gradients: 4 T*M of 16 bits. The margin is
    that of the simulator.
    """
    shape, plan = case.shape(), case.plan()
    parts = {
        name: float(size)
        for name, size in memory(shape, plan, chip()).bytes.items()
        if case.whole or name not in NOT_OF_LAYERS
    }
    if case.whole:
        return parts
    tokens = case.sequences * float(shape.seq_len) / case.chips
    return parts | {"input and output": 4 * tokens * float(shape.d_model) * 2}


def product_seconds(case: Case) -> dict[str, float]:
    """Of one chip, by part, before the factor of the software as a whole."""
    fitted = constants("moe" if "M" in case.layers else "dense")
    parts = compute.layers(case.shape(), case.plan())
    return {
        name: seconds
        for name, operations in parts.items()
        if (
            seconds := sum(
                float(each.count) * float(each.compute_seconds(chip(), fitted))
                for each in operations
                if each.dims is not None
            )
        )
    }


def sent(case: Case) -> dict[str, float]:
    """Bytes that leave one chip, by purpose."""
    shape, plan = case.shape(), case.plan()
    copies, ranks, _tensor = case.mesh
    by_purpose = {
        "experts": [traffic.slots(shape, plan)],
        "experts' cut": list(traffic.expert_cut(shape, plan).values()),
        "residuals": list(traffic.residuals(shape, plan).values()),
    }
    left = {
        purpose: sum(
            float(each.count) * float(each.bytes) * (float(each.ranks) - 1) / float(each.ranks)
            for each in messages
        )
        for purpose, messages in by_purpose.items()
    }
    experts, rest = (float(count) for count in traffic.stage_parameters(shape, plan))
    data, bytes_each = copies * ranks, float(plan.activation_bytes) * 2
    # ZeRO 3 gathers weights forward and backward; else gradients are all-reduced.
    bytes_each = bytes_each if case.zero == 3 else 0.0
    bytes_each += float(plan.sent_gradient_bytes) * (1 if case.zero == 3 else 2)
    left["weights and gradients"] = 0.0
    for parameters, group in ((rest, data), (experts, copies)):
        times = float(traffic.whole_slice(plan, group, chip()))
        left["weights and gradients"] += times * parameters * (group - 1) / group * bytes_each
    return left


def sent_by_compiler(row: Row) -> dict[str, float]:
    """Bytes that leave one chip in the compiled program, by purpose; the rest is "other"."""
    left = dict.fromkeys((*PURPOSES, "other"), 0.0)
    for message, times in row.messages.items():
        left[purpose(row.case, message)] += times * leaving(message)
    return left


def leaving(message: Message) -> float:
    """Bytes of a message that leave a chip: an all-reduce sends each part twice."""
    if message.kind == "collective-permute":
        return message.bytes
    share = message.bytes * (message.ranks - 1) / message.ranks
    return share * (2 if message.kind == "all-reduce" else 1)


def purpose(case: Case, message: Message) -> str:
    """What a message is for, by its kind, its group and its size."""
    _copies, ranks, tensor = case.mesh
    slots = float(traffic.slots(case.shape(), case.plan()).bytes)
    over_y = message.stride == 1 and message.ranks <= tensor and tensor > 1
    if message.kind == "all-to-all":
        return "experts" if message.bytes == slots and not (over_y and ranks > 1) else "other"
    if message.kind == "collective-permute":
        return "residuals" if message.stride < tensor else "weights and gradients"
    if over_y:
        is_slots = message.bytes == slots * tensor and "M" in case.layers
        return "experts' cut" if is_slots else "residuals"
    return "weights and gradients"


def counts(row: Row) -> dict[str, int]:
    """How often the compiled program gathers and scatters a whole residual over y."""
    case = row.case
    size = float(traffic.residuals(case.shape(), case.plan())["gathers"].bytes)
    times_of = {"gathers": 0, "scatters": 0}
    for message, times in row.messages.items():
        if message.ranks == case.mesh[2] and message.stride == 1 and message.bytes == size:
            name = {"all-gather": "gathers", "reduce-scatter": "scatters"}.get(message.kind)
            if name:
                times_of[name] += times
    return times_of


AT_LIMIT = 0.1
"""Share of the limit within which the simulator does not decide."""

AGAIN = 1e-3
"""Share of the FLOP from which a program counts as changed by the compiler."""


def verdict(case: Case) -> str:
    """What the simulator says of its memory: fits, does not fit, or at the limit."""
    share = sum(memory_bytes(case).values()) / float(chip().memory_bytes)
    if abs(share - 1) <= AT_LIMIT:
        return "at the limit"
    return "fits" if share < 1 else "does not fit"


def compiler_verdict(row: Row) -> str:
    """What the compiler says: fits, does not fit, or fits with some products computed again."""
    if row.refused:
        return "does not fit"
    return "fits if computed again" if computed_again(row) > AGAIN else "fits"


def agree(row: Row) -> bool | None:
    """Whether both say the same of one plan.

    None where the simulator says that it is at the limit, and where the compiler made another plan
    of it, in which it computes products again.
    """
    said, theirs = verdict(row.case), compiler_verdict(row)
    if said == "at the limit" or theirs == "fits if computed again":
        return None
    return theirs == said

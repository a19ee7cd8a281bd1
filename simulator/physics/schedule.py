"""Schedules of a pipeline, played operation by operation: when each chip does what.

The formulas of `simulator.physics.pipeline` say how long a step takes; a played schedule says which
micro-batch is where at a moment. F, B and W as there; where W is not apart, B has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Operation = tuple[str, int, int]
"""F, B or W; the micro-batch; the stage. Chip i of p has the stages i, p + i, 2p + i and so on."""

Orders = list[list[Operation]]
"""What each chip does, in its order."""


@dataclass(frozen=True)
class Played:
    """When an operation was done.

    Attributes:
        begin_s: from the begin of the step.
        end_s: from the begin of the step.
        message_s: seconds right before the begin in which the chip waited for its message.
    """

    begin_s: float
    end_s: float
    message_s: float = 0.0


def play(
    orders: Orders, seconds: Callable[[Operation], float], message_s: float = 0.0
) -> Mapping[Operation, Played]:
    """When each operation is done, if each chip does its own in its order, as soon as it can.

    Two stages, one micro-batch, F of 1 s and B of 2 s, 0.1 s a message: F at 0 and 1.1 s, B at 2.1
    and 4.2 s; the step ends at 6.2 s.

    >>> seconds = {"F": 1.0, "B": 2.0}
    >>> played = play(one_forward_one_backward(2, 1), lambda operation: seconds[operation[0]], 0.1)
    >>> round(max(each.end_s for each in played.values()), 9)
    6.2

    Args:
        orders: by chip; what can never begin, in a deadlock, is left out.
        seconds: of an operation.
        message_s: from a stage on one chip to the next on another.
    """
    chips, last = len(orders), max(stage for order in orders for _, _, stage in order)
    played: dict[Operation, Played] = {}
    free, done = [0.0] * chips, [0] * chips
    going = True
    while going:
        going = False
        for chip, order in enumerate(orders):
            while done[chip] < len(order):
                operation = order[done[chip]]
                needed = _needed(operation, last)
                if not all(other in played for other in needed):
                    break
                begin_s, sent_s = free[chip], 0.0
                for other in needed:
                    on_its_way_s = message_s if other[2] % chips != chip else 0.0
                    if played[other].end_s + on_its_way_s > begin_s:
                        begin_s, sent_s = played[other].end_s + on_its_way_s, on_its_way_s
                end_s = begin_s + seconds(operation)
                played[operation] = Played(begin_s, end_s, min(sent_s, begin_s - free[chip]))
                free[chip], going = end_s, True
                done[chip] += 1
    return played


def _needed(operation: Operation, last: int) -> Sequence[Operation]:
    """What must be done before an operation."""
    kind, micro, stage = operation
    if kind == "F":
        return [("F", micro, stage - 1)] if stage else []
    if kind == "W":
        return [("B", micro, stage)]
    return [("F", micro, stage), *([("B", micro, stage + 1)] if stage < last else [])]


def one_forward_one_backward(stages: int, micro: int) -> Orders:
    """The order of 1F1B (arXiv:2104.04473, figure 4 above)."""
    orders = []
    for chip in range(stages):
        ahead = min(stages - 1 - chip, micro)
        order: list[Operation] = [("F", k, chip) for k in range(ahead)]
        for k in range(micro):
            if k + ahead < micro:
                order.append(("F", k + ahead, chip))
            order.append(("B", k, chip))
        orders.append(order)
    return orders


def interleaved(stages: int, chunks: int, micro: int) -> Orders:
    """The order of Megatron's interleaved schedule (figure 4 below): groups of p micro-batches."""
    orders, total = [], micro * chunks
    places = [
        (chunk, first + k)
        for first in range(0, micro, stages)
        for chunk in range(chunks)
        for k in range(min(stages, micro - first))
    ]
    for chip in range(stages):
        forward: list[Operation] = [("F", m, chunk * stages + chip) for chunk, m in places]
        backward: list[Operation] = [
            ("B", m, (chunks - 1 - chunk) * stages + chip) for chunk, m in places
        ]
        ahead = min(2 * (stages - chip - 1) + (chunks - 1) * stages, total)
        order = forward[:ahead]
        for k in range(total):
            order += forward[k + ahead : k + ahead + 1] + backward[k : k + 1]
        orders.append(order)
    return orders


def zero_bubble(stages: int, micro: int) -> Orders:
    """The order of ZB-H1 (arXiv:2401.10241, figure 2): chip i does W of i micro-batches later."""
    orders = []
    for chip in range(stages):
        ahead, late = min(stages - 1 - chip, micro), 0
        order: list[Operation] = [("F", k, chip) for k in range(ahead)]
        for k in range(micro):
            if k + ahead < micro:
                order.append(("F", k + ahead, chip))
            order.append(("B", k, chip))
            if k >= chip:
                order.append(("W", late, chip))
                late += 1
        orders.append([*order, *(("W", k, chip) for k in range(late, micro))])
    return orders


def orders_of(schedule: str, stages: int, chunks: int, micro: int) -> Orders | None:
    """The order of a schedule of `simulator.physics.plan`; None for one that is not played here.

    ZB-V and DualPipe are not.
    """
    if schedule == "zero-bubble":
        return zero_bubble(stages, micro) if chunks == 1 else None
    if schedule != "1f1b":
        return None
    if chunks == 1 or stages == 1:
        return one_forward_one_backward(stages, micro)
    return interleaved(stages, chunks, micro)

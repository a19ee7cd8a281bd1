"""How even the work of a job's ranks is: who is slowest, how long others wait, and at what cost.

Ranks step together. In step k, rank r works b_rk seconds: its window of the step, without windows
of phase "waiting" in it. It waits w_rk = max_r(b_rk) - b_rk for the slowest, be it in those windows
or after its own. Example: 1.0 s and 1.5 s in a step: the first waits 0.5 s, a third of the time.

Ranks whose windows contain their waiting, and mark none of it, all work equally long, and nothing
is known of who waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from energy.arithmetic import add
from energy.ledger import joules
from energy.ledger.interpolation import Floats
from energy.ledger.job import attempt_of
from energy.ledger.node import Node
from energy.ledger.owned import ACCELERATORS, owned
from energy.ledger.segment import Segment
from energy.ledger.sums import Sum
from energy.parallel import Rank
from energy.quantity import Quantity
from energy.record import EnergyEntry

WAITING = "waiting"
"""Phase of windows in which a rank waits for others."""

NO_STEPS = "no steps that all ranks have as windows of one name"
SOURCE = "windows of the steps of all ranks: the longest work in each step, without its own"

Ranks = Mapping[int, Sequence[Segment]]
"""The segments of each rank."""


@dataclass
class Steps:
    """The steps of one rank, in order.

    Attributes:
        keys: attempt and number of each.
        begins: seconds.
        ends: seconds.
        waited_s: seconds of windows of waiting in each.
        places: index of the segment of each.
    """

    keys: list[tuple[str, int]]
    begins: Floats
    ends: Floats
    waited_s: Floats
    places: list[int]

    @property
    def worked_s(self) -> Floats:
        """Seconds of work in each."""
        worked: Floats = np.maximum(0.0, self.ends - self.begins - self.waited_s)
        return worked


def ranks_of(ranks: Ranks, nodes: Mapping[str, Node]) -> list[Rank]:
    """What each rank of a job spent and waited; nothing for one rank.

    Args:
        ranks: the segments of each.
        nodes: the nodes by boot.
    """
    if len(ranks) < 2:
        return []
    owners = _owners(ranks)
    waits = _waits(ranks)
    return [
        _rank(number, segments, nodes, owners, waits.get(number))
        for number, segments in sorted(ranks.items())
    ]


@dataclass
class Wait:
    """How one rank waited in the steps that all have in common."""

    worked_s: Floats
    waiting_s: Floats
    slowest: int
    share: float
    stretches: list[tuple[int, Floats, Floats]]
    part: float


def _waits(ranks: Ranks) -> dict[int, Wait]:
    """How each rank waited; empty where there are no common steps."""
    name = _step_name(ranks)
    if name is None:
        return {}
    steps = {rank: _steps(segments, name) for rank, segments in ranks.items()}
    common = set.intersection(*(set(own.keys) for own in steps.values()))
    chosen = {
        rank: np.array([i for i, key in enumerate(own.keys) if key in common], dtype=np.intp)
        for rank, own in steps.items()
    }
    if not common:
        return {}
    worked = {rank: own.worked_s[chosen[rank]] for rank, own in steps.items()}
    longest = np.max(list(worked.values()), axis=0)
    result = {}
    for rank, own in steps.items():
        at, waiting_s = chosen[rank], longest - worked[rank]
        marked_s = float(own.waited_s[at].sum())
        stretches = []
        for place in dict.fromkeys(own.places):
            here = at[[own.places[i] == place for i in at]]
            some_s = waiting_s[[own.places[i] == place for i in at]]
            ends = own.ends[here]
            if marked_s:
                stretches.append((place, *_waiting_windows(ranks[rank][place])))
            else:
                stretches.append((place, ends, ends + some_s))
        result[rank] = Wait(
            worked_s=worked[rank],
            waiting_s=waiting_s,
            slowest=int((waiting_s <= 0).sum()),
            share=float(waiting_s.sum() / longest.sum()) if longest.sum() else 0.0,
            stretches=stretches,
            part=min(1.0, float(waiting_s.sum()) / marked_s) if marked_s else 1.0,
        )
    return result


def _step_name(ranks: Ranks) -> str | None:
    """The name of the windows that are steps: of those that every rank has twice, the commonest."""
    counts: list[dict[str, int]] = []
    for segments in ranks.values():
        own: dict[str, int] = {}
        for segment in segments:
            for kind in segment.windows.kinds:
                name, phase = segment.windows.names[kind]
                if phase == "compute":
                    own[name] = own.get(name, 0) + 1
        counts.append(own)
    shared = {name: min(own.get(name, 0) for own in counts) for name in counts[0]}
    name = max(shared, key=lambda own: shared[own], default="")
    return name if shared.get(name, 0) > 1 else None


def _steps(segments: Sequence[Segment], name: str) -> Steps:
    """The steps of a rank; a step is numbered by the mark that follows it, or else by its order."""
    keys: list[tuple[str, int]] = []
    begins, ends, waited, places = [], [], [], []
    for place, segment in enumerate(segments):
        kinds = [i for i, (own, _) in enumerate(segment.windows.names) if own == name]
        chosen = np.isin(np.asarray(segment.windows.kinds), kinds)
        begin_s = np.asarray(segment.windows.begins)[chosen]
        end_s = np.asarray(segment.windows.ends)[chosen]
        order = np.argsort(end_s)
        begin_s, end_s = begin_s[order], end_s[order]
        attempt = attempt_of(segment.header.get("job") or {})
        keys += [(attempt, number) for number in _numbers(segment, end_s)]
        begins.append(begin_s)
        ends.append(end_s)
        waited.append(_overlap(begin_s, end_s, *_waiting_windows(segment)))
        places += [place] * len(end_s)
    return Steps(keys, np.concatenate(begins), np.concatenate(ends), np.concatenate(waited), places)


def _numbers(segment: Segment, ends: Floats) -> list[int]:
    """Numbers of steps that ended at these moments."""
    marks = sorted(
        (mark["m"] / 1e9, int(step))
        for mark in segment.marks
        if mark.get("kind") == "step" and isinstance(step := mark["fields"].get("step"), int)
    )
    times = np.array([moment for moment, _ in marks])
    after = np.searchsorted(times, ends)
    if len(set(after)) < len(ends) or (len(ends) and after[-1] >= len(marks)):
        return list(range(len(ends)))
    return [marks[i][1] for i in after]


def _waiting_windows(segment: Segment) -> tuple[Floats, Floats]:
    """Begins and ends of the windows in which a rank waited."""
    kinds = [i for i, (_, phase) in enumerate(segment.windows.names) if phase == WAITING]
    chosen = np.isin(np.asarray(segment.windows.kinds), kinds)
    begins = np.asarray(segment.windows.begins)[chosen]
    ends = np.asarray(segment.windows.ends)[chosen]
    order = np.argsort(begins)
    return begins[order], ends[order]


def _overlap(begins: Floats, ends: Floats, other_begins: Floats, other_ends: Floats) -> Floats:
    """Seconds of each stretch that lie in others, which do not overlap and are in order."""
    before = np.concatenate(([0.0], np.cumsum(other_ends - other_begins)))

    def until(moments: Floats) -> Floats:
        place = np.searchsorted(other_begins, moments, side="right")
        last = np.maximum(place - 1, 0)
        if not len(other_begins):
            return np.zeros(len(moments))
        inside = np.minimum(moments, other_ends[last]) - other_begins[last]
        spent: Floats = np.where(place > 0, before[last] + inside, 0.0)
        return spent

    seconds: Floats = until(ends) - until(begins)
    return seconds


def _owners(ranks: Ranks) -> dict[tuple[str, str], set[int]]:
    """The ranks that own each device, by boot and name."""
    owners: dict[tuple[str, str], set[int]] = {}
    for number, segments in ranks.items():
        for segment in segments:
            for name in owned(segment.header["domains"], segment.header):
                owners.setdefault((segment.header["boot"], name), set()).add(number)
    return owners


def _rank(
    number: int,
    segments: Sequence[Segment],
    nodes: Mapping[str, Node],
    owners: Mapping[tuple[str, str], set[int]],
    wait: Wait | None,
) -> Rank:
    """What one rank spent and waited."""
    own = [place for place, ranks in owners.items() if number in ranks]
    share = {f"{nodes[boot].prefix}{name}": 1 / len(owners[boot, name]) for boot, name in own}
    entries = [
        entry.scaled(share[entry.device])
        for boot in dict.fromkeys(boot for boot, _ in own)
        for entry in nodes[boot].entries()
        if entry.device in share
    ]
    unknown = {unit: Quantity.absent(unit, NO_STEPS) for unit in ("s", "1", "J")}
    fields = {
        "step_s": unknown["s"],
        "waiting_s": unknown["s"],
        "waiting_share": unknown["1"],
        "waiting_j": unknown["J"],
    }
    if wait is not None:
        fields = {
            "step_s": Quantity.exact(float(np.median(wait.worked_s)), "s", SOURCE),
            "waiting_s": Quantity.exact(float(wait.waiting_s.sum()), "s", SOURCE),
            "waiting_share": Quantity.exact(wait.share, "1", SOURCE),
            "waiting_j": _waiting_j(segments, wait, owners),
        }
    return Rank(
        rank=number,
        host=str(segments[-1].header.get("host", "")),
        devices=tuple(sorted(share)),
        energy_j=joules.innermost(entries, "J"),
        steps=0 if wait is None else len(wait.waiting_s),
        slowest=0 if wait is None else wait.slowest,
        **fields,
    )


def _waiting_j(
    segments: Sequence[Segment], wait: Wait, owners: Mapping[tuple[str, str], set[int]]
) -> Quantity:
    """Joules of a rank's accelerators while it waited; of all that it owns if it has none."""
    parts: list[Quantity] = []
    for place, begins, ends in wait.stretches:
        segment = segments[place]
        names = owned(segment.header["domains"], segment.header)
        domains = [domain for domain in segment.header["domains"] if domain["id"] in names]
        devices = [d for d in domains if d.get("kind") in ACCELERATORS] or domains
        entries: list[EnergyEntry] = []
        for domain in devices:
            metered = Sum()
            if len(begins):
                metered.add_segment(segment, domain["id"], begins, ends)
                shared = 1 / len(owners[segment.header["boot"], domain["id"]])
                own = joules.group_entries(domain, metered)
                entries += [entry.scaled(wait.part * shared) for entry in own]
        if entries:
            parts.append(joules.innermost(entries, "J"))
    return add(parts, source=SOURCE) if parts else Quantity.absent("J", "it owns no device")

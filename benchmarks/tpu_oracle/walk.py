"""What a compiled program does, counted by a walk of its text (HLO).

`cost_analysis` of the compiler counts the body of a loop once, so an instruction is taken here as
often as its computation runs. A loop whose turns are not plain to see is an error, not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod

from benchmarks.tpu_oracle.products import product_flop
from energy.errors import InputError

WIDTHS = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s16": 2, "u16": 2} | dict.fromkeys(
    ("f32", "s32", "u32"), 4
)
MESSAGES = ("all-to-all", "all-gather", "all-reduce", "reduce-scatter", "collective-permute")

_ARRAY = re.compile(r"(\w+)\[([\d,]*)\]")
_INSTRUCTION = re.compile(r"^\s*(ROOT )?%([\w.-]+) = ")
_HEAD = re.compile(r"^(ENTRY )?%([\w.-]+) \(.*\{$")
_CALLED = re.compile(r"(?:calls|to_apply|body|branch_computations)=\{?(%[\w.-]+(?:, %[\w.-]+)*)")
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')

PARTS = (
    "attention_projections",
    "attention_scores",
    "dense_ffn",
    "experts",
    "router",
    "dispatch",
)
"""Scopes of the program, by the names of `energy.flops`."""


@dataclass(frozen=True)
class Instruction:
    """One line of a computation.

    Attributes:
        name: without its %.
        kind: its opcode.
        arrays: (type, sizes) of its result, each part of a tuple.
        operands: names.
        attributes: the rest of the line.
        is_root: whether it is the result of its computation.
    """

    name: str
    kind: str
    arrays: tuple[tuple[str, tuple[int, ...]], ...]
    operands: tuple[str, ...]
    attributes: str
    is_root: bool

    @property
    def bytes(self) -> int:
        """Of the result, all parts of a tuple."""
        return sum(WIDTHS.get(kind, 0) * prod(sizes) for kind, sizes in self.arrays)


@dataclass(frozen=True, order=True)
class Message:
    """One kind of message of a program.

    Attributes:
        kind: as the text names it; a reduce-scatter may be an all-reduce of which a part is kept.
        ranks: chips of a group.
        stride: distance of two neighbors of a group.
        bytes: of the whole: what is gathered, or what each chip gives.
    """

    kind: str
    ranks: int
    stride: int
    bytes: int


@dataclass
class Program:
    """What a chip does in one run of a program.

    Attributes:
        flop: of products, by the scope that they were written in.
        product_cycles: estimates of the instructions that hold these products, likewise.
        other_cycles: estimates of all others.
        messages: how often each is sent.
    """

    flop: dict[str, int] = field(default_factory=dict)
    product_cycles: dict[str, int] = field(default_factory=dict)
    other_cycles: int = 0
    messages: dict[Message, int] = field(default_factory=dict)


def walk(text: str) -> Program:
    """Count a compiled program.

    Args:
        text: of the whole module, scheduled.

    Raises:
        InputError: there is no entry, or a loop whose turns cannot be read.
    """
    computations, entry = parse(text)
    program = Program()
    _count(computations, entry, 1, program)
    return program


def parse(text: str) -> tuple[dict[str, dict[str, Instruction]], str]:
    """The instructions of each computation by name, and the name of the entry.

    Raises:
        InputError: there is no entry.
    """
    computations: dict[str, dict[str, Instruction]] = {}
    entry, current = "", ""
    for line in text.splitlines():
        if head := _HEAD.match(line):
            current = head[2]
            computations[current] = {}
            entry = current if head[1] else entry
        elif current and (instruction := _instruction(line)):
            computations[current][instruction.name] = instruction
    if not entry:
        raise InputError("expected the text of a compiled program", "no ENTRY in it")
    return computations, entry


def _instruction(line: str) -> Instruction | None:
    match = _INSTRUCTION.match(line)
    if not match:
        return None
    rest = line[match.end() :]
    split = _closing(rest, 0) + 1 if rest.startswith("(") else rest.index(" ")
    shape, rest = rest[:split], rest[split:].lstrip()
    kind = rest[: rest.index("(")]
    last = _closing(rest, len(kind))
    return Instruction(
        name=match[2],
        kind=kind,
        arrays=tuple(
            (name, tuple(int(size) for size in sizes.split(",") if size))
            for name, sizes in _ARRAY.findall(re.sub(r"\{[^}]*\}", "", shape))
        ),
        operands=tuple(re.findall(r"%([\w.-]+)", rest[len(kind) : last])),
        attributes=rest[len(kind) :],
        is_root=match[1] is not None,
    )


def _closing(text: str, start: int) -> int:
    """The place of the parenthesis that closes the one at `start`."""
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if not depth:
            return place
    raise InputError("expected parentheses in pairs in the program's text", text[:80])


Computations = dict[str, dict[str, Instruction]]


def _count(computations: Computations, name: str, times: int, program: Program) -> None:
    """Add a computation that runs `times` times, and what it calls."""
    instructions = computations[name]
    scatters = "all-reduce-scatter" in name
    for each in instructions.values():
        if each.kind in ("convolution", "dot"):
            scope = _scope(each)
            flop = times * product_flop(each, instructions)
            program.flop[scope] = program.flop.get(scope, 0) + flop
        if message := _message(each, instructions, scatters):
            program.messages[message] = program.messages.get(message, 0) + times
        if cycles := _CYCLES.search(each.attributes):
            _add_cycles(computations, each, times * int(cycles[1]), program)
        turns = times * _turns(computations, name, each) if each.kind == "while" else times
        for called in _calls(each):
            _count(computations, called, turns, program)


def _add_cycles(
    computations: Computations, each: Instruction, cycles: int, program: Program
) -> None:
    products = list(_products(computations, each))
    if not products:
        program.other_cycles += cycles
        return
    scope = _scope(products[0])
    program.product_cycles[scope] = program.product_cycles.get(scope, 0) + cycles


def _products(computations: Computations, each: Instruction) -> Iterator[Instruction]:
    """An instruction if it is a product, and the products of what it calls."""
    if each.kind in ("convolution", "dot"):
        yield each
    for called in _calls(each) if each.kind == "fusion" else ():
        for inner in computations[called].values():
            yield from _products(computations, inner)


def _calls(each: Instruction) -> list[str]:
    """Computations that an instruction runs; the sums of a reduction are not walked."""
    if each.kind in (*MESSAGES, "reduce", "reduce-window", "scatter", "sort", "select-and-scatter"):
        return []
    return [
        name.strip().removeprefix("%")
        for group in _CALLED.findall(each.attributes)
        for name in group.split(",")
    ]


def _scope(each: Instruction) -> str:
    """The part of the program that a product belongs to; "other" where it says none."""
    name = re.search(r'op_name="([^"]*)"', each.attributes)
    return next((part for part in PARTS if name and part in name[1]), "other")


def _message(
    each: Instruction, instructions: dict[str, Instruction], scatters: bool
) -> Message | None:
    kind = each.kind.removesuffix("-start")
    if kind not in MESSAGES:
        return None
    ranks, stride = _group(each.attributes)
    # An asynchronous one returns its operand, its result and what it waits for.
    size = each.bytes
    if each.kind.endswith("-start") and len(each.arrays) > 1:
        size = WIDTHS[each.arrays[1][0]] * prod(each.arrays[1][1])
    if kind == "reduce-scatter":
        size = sum(instructions[name].bytes for name in each.operands)
    if kind == "all-reduce" and scatters:
        kind = "reduce-scatter"
        padded = instructions[each.operands[0]]
        if padded.kind == "pad":  # rows of zeros, so that they divide, are no part of the message
            size = instructions[padded.operands[0]].bytes
    return Message(kind, ranks, stride, size)


def _group(attributes: str) -> tuple[int, int]:
    """How many chips a group of a message has, and how far neighbors are apart."""
    if pairs := re.search(r"source_target_pairs=\{\{(\d+),(\d+)\}", attributes):
        return 2, abs(int(pairs[2]) - int(pairs[1]))
    if mesh := re.search(r"replica_groups=mesh\[([^\]]*)\] \{([^}]*)\}", attributes):
        sizes = {name: int(size) for name, size in re.findall(r"'(\w+)'=(\d+)", mesh[1])}
        names = re.findall(r"'(\w+)'", mesh[2])
        last = list(sizes).index(names[-1])
        return prod(sizes[name] for name in names), prod(list(sizes.values())[last + 1 :])
    if listed := re.search(r"replica_groups=\{\{([\d,]*)\}", attributes):
        members = [int(member) for member in listed[1].split(",")]
        return len(members), members[1] - members[0] if len(members) > 1 else 1
    if iota := re.search(r"replica_groups=\[\d+,(\d+)\]<=\[([\d,]+)\](T\()?", attributes):
        sizes_ = [int(size) for size in iota[2].split(",")]
        return int(iota[1]), prod(sizes_[1:]) if iota[3] else 1
    raise InputError("expected the groups of a message", attributes[:200])


def _turns(computations: Computations, name: str, loop: Instruction) -> int:
    """How often a loop runs: its counter goes step by step from a start to a bound.

    Args:
        computations: of the program.
        name: of the computation with the loop.
        loop: the instruction.

    Raises:
        InputError: there is no single bound or counter, or nothing says its start or its step.
    """
    body, condition = (
        re.search(rf"{part}=%([\w.-]+)", loop.attributes) for part in ("body", "condition")
    )
    if not body or not condition:
        raise InputError("expected the body and the condition of a loop", loop.name)
    tested = list(_all_of(computations, condition[1]))
    bounds = [bound for each in tested if (bound := _constant(each)) is not None]
    if len(bounds) != 1:
        raise InputError("expected one bound of a loop", f"{bounds} in {condition[1]}")
    places = [
        int(index[1])
        for each in tested
        if each.arrays in _SCALARS and (index := re.search(r"index=(\d+)", each.attributes))
    ]
    if len(places) != 1:
        raise InputError("expected one counter of a loop", f"{len(places)} in {condition[1]}")
    start = _start(computations[name], loop, places[0])
    step = _step(computations[body[1]], places[0])
    if start is None or step is None:
        missing = "start" if start is None else "step"
        raise InputError(
            "expected start and step of a loop's counter", f"no {missing} in {loop.name}"
        )
    return -(-(bounds[0] - start) // step)


_SCALARS = ((("s32", ()),), (("u32", ()),))
"""Results of one whole number."""


def _constant(each: Instruction) -> int | None:
    """The value of a constant of one whole number; None of all else."""
    value = re.match(r"\((-?\d+)\)", each.attributes)
    return int(value[1]) if each.kind == "constant" and each.arrays in _SCALARS and value else None


def _behind(instructions: dict[str, Instruction], name: str) -> Instruction | None:
    """The instruction of a name, or of what it is a copy of; None if it is not among these."""
    each = instructions.get(name)
    while each and each.kind in ("copy", "bitcast", "copy-done", "copy-start"):
        each = instructions.get(each.operands[0])
    return each


def _start(instructions: dict[str, Instruction], loop: Instruction, place: int) -> int | None:
    """The number at a place of the state with which a loop begins; None if nothing says it."""
    state = instructions.get(loop.operands[0])
    if state is None or state.kind != "tuple":
        return None
    each = _behind(instructions, state.operands[place])
    return _constant(each) if each else None


def _step(body: dict[str, Instruction], place: int) -> int | None:
    """What a turn adds to the number at a place of the state; None if nothing says it."""
    results = next((each for each in body.values() if each.is_root), None)
    if results is None or results.kind != "tuple":
        return None
    added = _behind(body, results.operands[place])
    if added is None or added.kind != "add":
        return None
    numbers = [_constant(each) for name in added.operands if (each := _behind(body, name))]
    return next((number for number in numbers if number), None)


def _all_of(computations: Computations, name: str) -> Iterator[Instruction]:
    for each in computations[name].values():
        yield each
        for called in _calls(each):
            yield from _all_of(computations, called)

"""The programs that are compiled: layers of GLaM on slices of TPU v4."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Any

from energy.facts import catalog
from energy.shape import Shape
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.memory import memory
from simulator.physics.plan import Plan

CAPACITY = 1.25
SLICES = {4: "2x2x1", 16: "2x2x4", 64: "4x4x4", 256: "4x8x8", 1024: "8x8x16"}
SEED = 20_261_129


@dataclass(frozen=True, kw_only=True)
class Case:
    """One program.

    Attributes:
        model: of the catalog.
        layers: D for a dense layer, M for one with experts, in their order.
        mesh: copies of an expert, expert parallel ranks, tensor parallel ranks; their product is
            the number of chips.
        sequences: of 1,024 tokens, of all chips together.
        zero: 3, or 1 where weights are whole on every data parallel rank.
        dispatch: "sort" or "one-hot".
        recompute: "none" or "full".
        drawn: whether it is one of the plans that a seed drew for "fits or not".
        whole: a training step of the whole model, these layers in a scan.
    """

    model: str
    layers: str
    mesh: tuple[int, int, int]
    sequences: int
    zero: int = 3
    dispatch: str = "sort"
    recompute: str = "none"
    drawn: bool = False
    whole: bool = False

    @property
    def chips(self) -> int:
        """Of the slice."""
        copies, ranks, tensor = self.mesh
        return copies * ranks * tensor

    @property
    def name(self) -> str:
        """In one word, unlike that of any other case."""
        mesh = "x".join(map(str, self.mesh))
        kind = "drawn" if self.drawn else "whole" if self.whole else "pair"
        parts = (kind, self.model, self.layers, mesh, f"{self.sequences}", f"zero{self.zero}")
        return "-".join((*parts, self.dispatch, self.recompute)).replace("glam-", "")

    @property
    def words(self) -> str:
        """A short name, for a picture."""
        how = f", {self.dispatch}" if "M" in self.layers else ""
        again = ", recomputed" if self.recompute == "full" else ""
        name = self.model.removeprefix("glam-") + (", whole" if self.whole else "")
        return f"{name}, {self.chips:,} chips{how}{again}"

    @property
    def group(self) -> int:
        """Tokens of a group of one-hot dispatch."""
        return min(1024, self.sequences * 1024 // self.chips)

    def shape(self) -> Shape:
        """These layers alone, without an embedding to speak of, or all; and no position bias."""
        shape, mixtures = catalog.model(self.model).shape, self.layers.count("M")
        if self.whole:
            return replace(shape, relative_buckets=0)
        return replace(
            shape,
            n_layers=len(self.layers),
            n_moe_layers=mixtures,
            vocab_size=1,
            relative_buckets=0,
        )

    def plan(self) -> Plan:
        """How the program shares them out, as the simulator says it."""
        _, ranks, tensor = self.mesh
        experts = "M" in self.layers
        return Plan(
            n_chips=self.chips,
            tp=tensor,
            ep=ranks if experts else 1,
            etp=tensor if experts else 1,
            zero=self.zero,
            global_batch=self.sequences,
            recompute=self.recompute,
            capacity_factor=CAPACITY if experts else 1.0,
            dispatch=self.dispatch,
            dispatch_group=self.group,
            loss_chunk=self.sequences * 1024 if self.whole else 1024,
            gathers_again=True,
            recompute_stops=True,
            # A program of two layers gathers weights once and keeps them, unless it is recomputed.
            gathered_layers=1 if self.recompute == "full" else len(self.layers),
            fuses=True,
            loss_in_place=True,
            casts_weights=self.whole,
            weight_bytes=4,
            gradient_bytes=4,
            gradient_message_bytes=2,
            activation_bytes=2,
        )

    def sizes(self) -> dict[str, Any]:
        """What the program needs to know."""
        shape = catalog.model(self.model).shape
        names = ("d_model", "n_heads", "d_head", "d_ff", "n_experts", "d_expert", "top_k")
        return {name: int(getattr(shape, name)) for name in names} | {
            "layers": self.layers,
            "seq_len": int(shape.seq_len),
            "capacity_factor": CAPACITY,
            "group": self.group,
            "mesh": self.mesh,
            "sequences": self.sequences,
            "zero": self.zero,
            "dispatch": self.dispatch,
            "recompute": self.recompute,
        }

    def scan(self) -> dict[str, int]:
        """Of a whole model, how often its layers are run, and its vocabulary; else nothing."""
        shape = self.shape()
        turns = int(shape.n_layers) // len(self.layers)
        return {"n_stacks": turns, "vocab_size": int(shape.vocab_size)} if self.whole else {}

    def to_row(self) -> dict[str, Any]:
        """Its fields for JSON."""
        return asdict(self) | {"mesh": list(self.mesh)}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Case:
        """The case of `to_row`."""
        return cls(**row | {"mesh": tuple(row["mesh"])})


CHOSEN: dict[str, dict[str, Any]] = {
    "glam-0.1b-64e": {"mesh": (1, 16, 1), "sequences": 256, "zero": 1},
    "glam-1.7b-64e": {"mesh": (1, 64, 1), "sequences": 256},
    "glam-8b-64e": {"mesh": (2, 64, 2), "sequences": 256},
    "glam-64b-64e": {"mesh": (2, 64, 8), "sequences": 512},
}
"""The plans that the simulator chooses for the mixtures on the chips of their presets."""

CHOSEN_DENSE: dict[str, dict[str, Any]] = {
    "glam-0.1b": {"mesh": (1, 4, 1), "sequences": 64},
    "glam-1.7b": {"mesh": (1, 64, 1), "sequences": 256},
    "glam-8b": {"mesh": (1, 128, 2), "sequences": 512},
    "glam-137b": {"mesh": (1, 128, 8), "sequences": 256},
}

OTHER_MESHES: dict[str, dict[str, Any]] = {
    "glam-0.1b-64e": {"mesh": (1, 4, 1), "sequences": 16},
    "glam-8b-64e": {"mesh": (1, 16, 4), "sequences": 256},
    "glam-64b-64e": {"mesh": (1, 4, 4), "sequences": 64},
}
"""Fewer chips, so that each gets more of the weights."""


WHOLE: list[tuple[str, str, dict[str, Any]]] = [
    ("glam-0.1b", "DD", {"mesh": (1, 4, 1), "sequences": 16}),
    ("glam-0.1b-64e", "DM", {"mesh": (1, 16, 1), "sequences": 64}),
    ("glam-1.7b", "DD", {"mesh": (1, 16, 1), "sequences": 64}),
    ("glam-8b", "DD", {"mesh": (1, 16, 4), "sequences": 64}),
    ("glam-8b-64e", "DM", {"mesh": (1, 64, 4), "sequences": 256}),
]
"""Whole models, recomputed."""


def cases() -> list[Case]:
    """All programs, in the order in which they say most."""
    pairs = [
        Case(model=model, layers="DM", dispatch=dispatch, recompute=recompute, **where)
        for recompute in ("none", "full")
        for dispatch in ("sort", "one-hot")
        for model, where in CHOSEN.items()
    ]
    others = [Case(model=model, layers="DM", **where) for model, where in OTHER_MESHES.items()]
    others += [replace(others[0], dispatch="one-hot"), replace(others[0], recompute="full")]
    dense = [
        Case(model=model, layers="DD", recompute=recompute, **where)
        for recompute in ("none", "full")
        for model, where in CHOSEN_DENSE.items()
    ]
    whole = [
        Case(model=model, layers=layers, recompute="full", whole=True, **where)
        for model, layers, where in WHOLE
    ]
    half, third = len(pairs) // 2, len(dense) // 2
    return [*others, *pairs[:half], *dense[:third], *pairs[half:], *dense[third:], *drawn(), *whole]


BANDS = ((0.5, 0.7), (0.7, 1.0), (1.0, 1.4), (1.4, 2.0))
"""Shares of a chip's memory, as the simulator has them, from which plans are drawn in turn."""

MOST_TOKENS = 32_768
"""Of a chip, in plans that are drawn."""


def drawn(count: int = 20) -> list[Case]:
    """Programs of one layer that need 0.5 to 2 times the memory of a chip, drawn by a seed."""
    random, chosen = Random(SEED), list[Case]()
    chip = Hardware.from_chip(catalog.chip("tpu-v4"), "bf16", Constants())
    while len(chosen) < count:
        case = _any_case(random)
        low, high = BANDS[len(chosen) % len(BANDS)]
        share = float(memory(case.shape(), case.plan(), chip).total_bytes) / chip.memory_bytes
        if low < share < high and case not in chosen:
            chosen.append(case)
    return chosen


def _any_case(random: Random) -> Case:
    """Some layer on some chips, with at most so many tokens of a chip."""
    layers = random.choice("DDM")
    name = random.choice(["0.1b", "1.7b", "8b", "64b"])
    model = f"{name}-64e" if layers == "M" else "137b" if name == "64b" else name
    tensor, ranks = random.choice([(1, 4), (2, 2), (4, 4), (1, 16), (2, 8), (4, 16), (8, 8)])
    tokens = 1024 * random.randint(1, MOST_TOKENS // 1024)
    return Case(
        model=f"glam-{model}",
        layers=layers,
        mesh=(1, ranks, tensor),
        sequences=ranks * tensor * tokens // 1024,
        recompute=random.choice(["none", "full"]),
        drawn=True,
    )

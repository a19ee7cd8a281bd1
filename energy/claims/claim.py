"""A claim: the figures that somebody states of one run, in SI units, and the words beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from energy.facts.catalog import known_chip
from energy.facts.chip_rows import Chip
from energy.quantity import Boundary

NUMBERS = {
    "params_total": "1",
    "params_active": "1",
    "tokens": "1",
    "layers": "1",
    "d_model": "1",
    "vocabulary": "1",
    "d_ff": "1",
    "seq_len": "1",
    "heads": "1",
    "head_dim": "1",
    "flop": "FLOP",
    "executed_flop": "FLOP",
    "mfu": "1",
    "chips": "1",
    "elapsed_s": "s",
    "chip_s": "s",
    "watts": "W",
    "tdp_w": "W",
    "pue": "1",
    "wue": "L/kWh",
    "ewif": "L/kWh",
    "energy_j": "J",
    **{f"energy_{boundary}_j": "J" for boundary in Boundary},
    "sum_of_entries_j": "J",
    "longest_part_s": "s",
    "cpu_energy_j": "J",
    "gpu_energy_j": "J",
    "ram_energy_j": "J",
    "grid_g_per_kwh": "g/kWh",
    "market_g_per_kwh": "g/kWh",
    "co2_g": "g",
    "co2_market_g": "g",
    "co2_embodied_g": "g",
    "co2_offset_g": "g",
    "co2_per_s": "g/s",
    "water_l": "L",
    "queries": "1",
    "score_g": "g",
    "functional_units": "1",
}
"""Figures of a claim with their units; `co2_g` is by location unless the words say otherwise."""


MOST = 1e40
"""No figure of a run is larger, in SI."""

LEAST = 1e-60
"""Below it a figure is nothing: products of some would be zero, and nothing is divided by it."""


@dataclass(frozen=True)
class Problem:
    """What a reader noticed while it read: a number that is none, a unit that does not exist.

    Attributes:
        rule: the rule that it breaks.
        message: what is wrong.
    """

    rule: str
    message: str


@dataclass(frozen=True)
class Claim:
    """What somebody states of one run.

    Attributes:
        where: file, row or field, for people.
        numbers: by the names of `NUMBERS`; what is not stated is absent.
        words: name, chip, precision, kind (dense, moe), workload, boundary, basis, zone, begin
            and end of the run, where they are stated.
        problems: noticed while reading.
    """

    where: str
    numbers: Mapping[str, float]
    words: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        """Set aside figures that are infinite, or too large for any run."""
        odd = [name for name, value in self.numbers.items() if not abs(value) < MOST]
        if odd:
            problems = [Problem("not-a-number", f"{name} is {self.numbers[name]}") for name in odd]
            numbers = {name: value for name, value in self.numbers.items() if name not in odd}
            object.__setattr__(self, "numbers", numbers)
            object.__setattr__(self, "problems", (*self.problems, *problems))

    def get(self, name: str) -> float | None:
        """A figure; None where it is not stated or is nothing, with which none can be compared."""
        value = self.numbers.get(name, 0.0)
        return value if abs(value) > LEAST else None

    def word(self, name: str) -> str:
        """A word in lower case; empty where it is not stated."""
        return self.words.get(name, "").strip().lower()

    @property
    def chip_s(self) -> float | None:
        """Seconds summed over the chips: stated, or chips times duration."""
        chips, elapsed_s = self.get("chips"), self.get("elapsed_s")
        return self.get("chip_s") or (chips * elapsed_s if chips and elapsed_s else None)

    @property
    def chip(self) -> Chip | None:
        """The chip in the catalog; None for another or none."""
        return known_chip(self.words.get("chip", ""))

    @property
    def tdp_w(self) -> float | None:
        """Design power of a chip: stated, or of the catalog."""
        return self.get("tdp_w") or (self.chip.tdp_w if self.chip else None)

    @property
    def boundary(self) -> Boundary | None:
        """Where `energy_j` was read; None where that is not said."""
        words = self.word("boundary")
        starts = {"facility": Boundary.FACILITY, "node": Boundary.NODE, "it": Boundary.IT}
        starts |= {"chip": Boundary.CHIP, "gpu": Boundary.CHIP, "generation": Boundary.GENERATION}
        return next((at for start, at in starts.items() if words.startswith(start)), None)

    @property
    def is_sparse(self) -> bool:
        """Whether a token passes through a part of the parameters only."""
        total, active = self.get("params_total"), self.get("params_active")
        return self.word("kind") == "moe" or bool(total and active and active < 0.95 * total)

    @property
    def six_p_d(self) -> float | None:
        """6 x active parameters x tokens of a pre-training."""
        active = self.get("params_active") or (None if self.is_sparse else self.get("params_total"))
        tokens = self.get("tokens")
        return 6 * active * tokens if active and tokens else None

    @property
    def work_flop(self) -> float | None:
        """FLOP as stated, else by 6PD."""
        return self.get("flop") or self.six_p_d

    @property
    def peak_flop_per_s(self) -> float | None:
        """The highest dense peak that the precision allows; that of 16 bit where none is stated."""
        if self.chip is None:
            return None
        precision = self.word("precision")
        names = ["peak_bf16_flop_per_s", "peak_fp16_flop_per_s"]
        for word, peak in (("fp8", "peak_fp8_flop_per_s"), ("fp4", "peak_fp4_flop_per_s")):
            if word in precision:
                names.append(peak)
        peaks = [peak for name in names if (peak := getattr(self.chip, name))]
        return max(peaks, default=self.chip.peak_fp32_flop_per_s)

"""Rules on hours, watts and joules."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from energy.claims.claim import Claim
from energy.claims.rule import Severity, rule
from energy.quantity import Boundary
from energy.units import J_PER_MWH, S_PER_HOUR, duration, energy, human, significant

LADDER = (Boundary.CHIP, Boundary.NODE, Boundary.IT, Boundary.FACILITY, Boundary.GENERATION)

MOST_TDP = {None: 4.0, Boundary.CHIP: 1.15}
"""Watts over the design power of the chip: a board exceeds it little; with its share of node and
facility, two to three times (TPU v4 system 326 W over 192 W, x PUE)."""

LEAST_TDP, LEAST_METERED = 0.12, 0.02
"""Idle boards of servers draw 12 to 20 % of their design power (chips.csv, idle_w), and runs that
are published are busy; what a meter read may be a board of a workstation that waited."""

ROUNDING = 0.03
"""Published figures have two or three digits."""


@rule(
    "hours-times-chips",
    Severity.ERROR,
    "Chip-hours are chips times hours; node-hours, days and GPU-months are not. A tenth is left "
    "for restarts and for chips that came and went.",
)
def hours_times_chips(claim: Claim) -> Iterator[str]:
    """Chip-hours that chips and hours contradict."""
    stated, chips, elapsed_s = (claim.get(name) for name in ("chip_s", "chips", "elapsed_s"))
    if not (stated and chips and elapsed_s) or stated < 0 or elapsed_s < 0:
        return
    ratio = stated / (chips * elapsed_s)
    if not 0.9 <= ratio <= 1.15:
        yield (
            f"{significant(stated / S_PER_HOUR)} chip-hours; {significant(chips)} chips x "
            f"{significant(elapsed_s / S_PER_HOUR)} h are {significant(1 / ratio)} times that"
        )


@rule(
    "parts-in-run",
    Severity.ERROR,
    "A window or phase of a run lasts no longer than the run: else seconds are hours, or the other "
    "way round. Windows that overlap may add up to twice the time.",
)
def parts_in_run(claim: Claim) -> Iterator[str]:
    """A part that is longer than the whole."""
    part_s, elapsed_s = claim.get("longest_part_s"), claim.get("elapsed_s")
    if part_s and elapsed_s and elapsed_s > 0 and part_s > 2 * elapsed_s:
        yield f"a part took {duration(part_s)}, the run {duration(elapsed_s)}"


@rule(
    "watts-per-chip",
    Severity.ERROR,
    "Joules over chip-hours are watts: from an idle board (0.12 of its design power; 0.02 in a "
    "record) to 1.15 of it at the chip, 4 with its share of the node and the building. Outside, "
    "joules or hours are in another unit.",
)
def watts_per_chip(claim: Claim) -> Iterator[str]:
    """Mean watts that no chip draws."""
    joules, chip_s, tdp = claim.get("energy_j"), claim.chip_s, claim.tdp_w
    # Where CodeCarbon splits joules by device, those of the boards are known, with the PUE in them.
    board = claim.get("gpu_energy_j")
    is_bare = (claim.get("pue") or 1.0) == 1.0
    boundary = (Boundary.CHIP if is_bare else None) if board else claim.boundary
    joules = board or joules
    if not (joules and chip_s and tdp) or joules < 0 or chip_s < 0:
        return
    watts = joules / chip_s
    most = MOST_TDP.get(boundary, MOST_TDP[None])
    least = LEAST_METERED if claim.word("record") else LEAST_TDP
    if not least <= watts / tdp <= most:
        yield (
            f"{energy(joules)} in {significant(chip_s / S_PER_HOUR)} chip-hours are "
            f"{significant(watts)} W a chip; its design power is {tdp:g} W"
        )


@rule(
    "stated-watts",
    Severity.ERROR,
    "The watts stated of a chip are between idle and 1.15 of its design power at the board, and at "
    "most 4 of it with its share of the node.",
)
def stated_watts(claim: Claim) -> Iterator[str]:
    """Stated watts that no chip draws."""
    watts, tdp = claim.get("watts"), claim.tdp_w
    if watts and tdp and watts > 0 and not LEAST_TDP <= watts / tdp <= MOST_TDP[None]:
        yield f"{significant(watts)} W a chip; its design power is {tdp:g} W"


@rule(
    "hours-times-watts",
    Severity.ERROR,
    "Joules are chip-hours x watts, x PUE at the facility (arXiv:2104.10350). A product without "
    "the PUE under the heading of a facility is the energy of the chips.",
)
def hours_times_watts(claim: Claim) -> Iterator[str]:
    """Joules that hours, watts and PUE contradict."""
    joules, chip_s, watts = claim.get("energy_j"), claim.chip_s, claim.get("watts")
    if not (joules and chip_s and watts) or min(joules, chip_s, watts) < 0:
        return
    pue = claim.get("pue") or 1.0
    bare = chip_s * watts
    is_facility = claim.boundary is Boundary.FACILITY
    expected = bare * pue if is_facility else bare
    both = {expected, bare * pue}
    # Watts of a board do not give the joules of a node.
    if claim.boundary is Boundary.NODE and "node" not in claim.word("watts_boundary"):
        return
    if is_facility and abs(joules / bare - 1) < 0.005 and pue > 1.01:
        yield (
            f"{energy(joules)} of the facility are chip-hours x watts without the PUE of {pue:g}: "
            "joules of the chips?"
        )
    elif all(abs(joules / product - 1) > 0.1 for product in both):
        yield (
            f"{energy(joules)}; {significant(chip_s / S_PER_HOUR)} chip-hours x "
            f"{significant(watts)} W" + (f" x PUE {pue:g}" if is_facility else "") + " are "
            f"{energy(expected)}"
        )


@rule(
    "tdp-as-measured",
    Severity.ERROR,
    "No meter reads exactly the design power for a whole run: joules that are hours x TDP "
    "(x PUE) to half a per cent are an assumption, and must be called so.",
)
def tdp_as_measured(claim: Claim) -> Iterator[str]:
    """Design power times hours that is called measured."""
    joules, chip_s, tdp = claim.get("energy_j"), claim.chip_s, claim.tdp_w
    if not (joules and chip_s and tdp) or not claim.word("basis").startswith("measured"):
        return
    watts, pue = claim.get("watts"), claim.get("pue") or 1.0
    if watts and abs(joules / (chip_s * watts * pue) - 1) < ROUNDING and watts < 0.98 * tdp:
        return  # the watts that were read explain the joules
    for factor in {1.0, pue}:
        if abs(joules / (chip_s * tdp * factor) - 1) < 0.005:
            yield f"{energy(joules)} called measured are the hours x {tdp:g} W, the design power"
            return


@rule(
    "boundary-ladder",
    Severity.ERROR,
    "A wider boundary holds the narrower ones: chip <= node <= IT <= facility <= generation.",
)
def boundary_ladder(claim: Claim) -> Iterator[str]:
    """A wider boundary with fewer joules."""
    for inner, outer in itertools.combinations(LADDER, 2):
        less, more = claim.get(f"energy_{inner}_j"), claim.get(f"energy_{outer}_j")
        if less and more and more < less * (1 - 1e-6):
            yield f"{energy(more)} at the {outer} boundary, {energy(less)} at the {inner} boundary"


@rule(
    "facility-over-it",
    Severity.ERROR,
    "Facility joules are IT joules x PUE. Equal figures beside a PUE above 1 are joules of one "
    "boundary under two names.",
)
def facility_over_it(claim: Claim) -> Iterator[str]:
    """A ratio of facility and IT that is not the PUE."""
    it, facility, pue = (claim.get(name) for name in ("energy_it_j", "energy_facility_j", "pue"))
    if it and facility and pue and abs(facility / (it * pue) - 1) > ROUNDING:
        yield f"facility over IT joules is {facility / it:.3f}; the PUE is {pue:g}"


@rule(
    "sum-of-parts",
    Severity.ERROR,
    "A total is the sum of its devices, each counted once.",
)
def sum_of_parts(claim: Claim) -> Iterator[str]:
    """Totals that the parts contradict."""
    chip_j, entries = claim.get("energy_chip_j"), claim.get("sum_of_entries_j")
    if chip_j and entries and abs(chip_j / entries - 1) > 0.001:
        yield f"a total of {energy(chip_j)}; its devices have {energy(entries)}"
    parts = [claim.numbers.get(f"{name}_energy_j") for name in ("cpu", "gpu", "ram")]
    whole = claim.get("energy_j")
    if whole and all(part is not None for part in parts):
        total = sum(part for part in parts if part is not None)
        if abs(whole - total) > 0.01 * abs(whole):
            yield f"{energy(whole)}; processors, boards and memory have {energy(total)}"


@rule(
    "measured-without-meter",
    Severity.ERROR,
    "Measured is what a meter read. Joules that a formula gave are modelled, whatever they are "
    "called.",
)
def measured_without_meter(claim: Claim) -> Iterator[str]:
    """Measured joules without a meter."""
    if claim.word("origin") == "measured" and claim.word("api").startswith(
        ("simulator", "/proc/stat", "assumed", "chips x")
    ):
        yield f"joules called measured come from {claim.words['api']}"
    if claim.word("record") == "predicted" and claim.word("origin") == "measured":
        yield "a prediction calls its joules measured"


@rule(
    "large",
    Severity.WARNING,
    "Published training runs took some tens of GWh (Llama 3.1, by design power: 27 GWh): beyond "
    "10 TWh no site exists.",
)
def large(claim: Claim) -> Iterator[str]:
    """More joules than any site has."""
    joules = claim.get("energy_j") or max(
        (claim.get(f"energy_{at}_j") or 0.0 for at in LADDER), default=0.0
    )
    if joules > 1e7 * J_PER_MWH:
        yield f"{human(joules, 'J')}"

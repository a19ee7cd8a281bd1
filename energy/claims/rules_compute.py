"""Rules on operations: utilization, joules a FLOP, and 6PD."""

from __future__ import annotations

from collections.abc import Iterator

from energy.claims.claim import Claim
from energy.claims.rule import Severity, rule
from energy.units import flop, significant

MOST_MFU, USUAL_MFU, LEAST_MFU = 0.9, 0.65, 0.02
"""Shares of the dense peak: none is published above 0.65 that did not count recomputation; whole
runs of one accelerator or of a small model go down to some per cent."""

SIX_P_D = (0.6, 2.2)
"""Published FLOP over 6PD with active parameters: encoder-decoders pass each token through one
half (0.5 to 0.6); attention, embeddings and recomputation add up to 120 %."""

J_PER_FLOP = (0.4, 60.0)
"""Joules a FLOP over design power by peak: below 0.4 no chip is known to work, above 60 it hardly
works at all."""

TRAINING = ("pretrain", "train", "step_benchmark")


@rule(
    "mfu",
    Severity.ERROR,
    "FLOP over chip-seconds and the dense peak is the utilization: at most 0.9, and in a whole "
    "training above 0.02; outside, hours, tokens or parameters are in another unit.",
)
def mfu(claim: Claim) -> Iterator[str]:
    """A utilization that no run has."""
    share = _utilization(claim)
    low = LEAST_MFU if claim.word("workload").startswith(TRAINING) else 0.0
    if share is not None and not low <= share <= MOST_MFU:
        yield f"{flop(claim.work_flop or 0.0)} FLOP in these hours are {share:.3g} of the peak"


@rule(
    "high-mfu",
    Severity.WARNING,
    "No run is published above 0.65 of the dense peak unless it counts recomputation, as early "
    "publications did.",
)
def high_mfu(claim: Claim) -> Iterator[str]:
    """A utilization that few runs have."""
    share = _utilization(claim)
    if share is not None and USUAL_MFU < share <= MOST_MFU:
        yield f"{flop(claim.work_flop or 0.0)} FLOP in these hours are {share:.3g} of the peak"


def _utilization(claim: Claim) -> float | None:
    """FLOP over hours and peak; 6PD stands for FLOP in a pre-training only."""
    work, chip_s, peak = claim.work_flop, claim.chip_s, claim.peak_flop_per_s
    if not (work and chip_s and peak) or chip_s < 0 or work < 0:
        return None
    if claim.get("flop") is None and not claim.word("workload").startswith(TRAINING):
        return None
    return work / (chip_s * peak)


@rule(
    "stated-mfu",
    Severity.ERROR,
    "The utilization that is stated is that of the stated FLOP, hours and peak; twice more or "
    "half is another count.",
)
def stated_mfu(claim: Claim) -> Iterator[str]:
    """A stated utilization that the rest contradicts."""
    stated, work = claim.get("mfu"), claim.work_flop
    chip_s, peak = claim.chip_s, claim.peak_flop_per_s
    if not (stated and work and chip_s and peak) or chip_s < 0 or work < 0 or stated > 1:
        return
    share = work / (chip_s * peak)
    # Chips that have no 16-bit peak, and sources that use another one, differ by up to a third.
    if not 0.5 <= share / stated <= 1.7:
        yield f"a utilization of {stated:g} is stated; FLOP, hours and peak give {share:.3g}"


@rule(
    "joules-per-flop",
    Severity.ERROR,
    "A chip at its peak and its design power spends TDP / peak joules a FLOP (H100: 7.1e-13). "
    "Less than 0.4 of that is beyond what chips do, 60 times that is a run that stood still "
    "(6,000 times in a record).",
)
def joules_per_flop(claim: Claim) -> Iterator[str]:
    """Joules a FLOP that no chip spends."""
    joules, work = claim.get("energy_j"), claim.work_flop
    tdp, peak = claim.tdp_w, claim.peak_flop_per_s
    if claim.get("flop") is None and not claim.word("workload").startswith(TRAINING):
        return
    if not (joules and work and tdp and peak) or joules < 0 or work < 0:
        return
    ratio = joules / work / (tdp / peak)
    # What was metered may be a small model on a large board, which mostly waits.
    most = J_PER_FLOP[1] * (100 if claim.word("record") else 1)
    if not J_PER_FLOP[0] <= ratio <= most:
        yield (
            f"{joules / work:.2e} J a FLOP; at its peak and design power the chip spends "
            f"{tdp / peak:.2e}"
        )


@rule(
    "joules-per-flop-any",
    Severity.ERROR,
    "Whatever the chip: from 2e-13 (the best of 2026 at 4 bit) to 1e-6 J a FLOP (a "
    "processor that mostly waits).",
)
def joules_per_flop_any(claim: Claim) -> Iterator[str]:
    """Joules a FLOP that no chip of any kind spends."""
    joules, work = claim.get("energy_j"), claim.get("flop")
    if claim.chip is None and joules and work and not 2e-13 <= joules / work <= 1e-6:
        yield f"{joules / work:.2e} J a FLOP"


@rule(
    "sparse-6pd",
    Severity.ERROR,
    "6PD holds for dense models: a token of a mixture of experts passes through its active "
    "parameters only (Guidelines of the Commission, annex). With all of them the FLOP are too "
    "many by the sparsity.",
)
def sparse_six_p_d(claim: Claim) -> Iterator[str]:
    """6PD of a sparse model with its total parameters."""
    stated, total, tokens = (claim.get(name) for name in ("flop", "params_total", "tokens"))
    if not (stated and total and tokens and claim.is_sparse):
        return
    if abs(stated / (6 * total * tokens) - 1) < 0.1:
        yield f"{flop(stated)} FLOP are 6 x all {significant(total)} parameters x the tokens"


@rule(
    "flop-against-6pd",
    Severity.ERROR,
    "Training takes about 6 FLOP a parameter and token: 0.6 to 2.2 times that with attention, "
    "embeddings and encoder-decoders. Outside, an exponent or a unit is wrong.",
)
def flop_against_six_p_d(claim: Claim) -> Iterator[str]:
    """FLOP that parameters and tokens contradict."""
    stated, expected = claim.get("flop"), claim.six_p_d
    if not (stated and expected):
        return
    # Attention over s tokens adds s / (6 d) to the products with weights of width d.
    sequence, width = claim.get("seq_len"), claim.get("d_model")
    attention = sequence / (6 * width) if sequence and width else 0.0
    if not SIX_P_D[0] <= stated / expected <= SIX_P_D[1] * (1 + attention):
        yield f"{flop(stated)} FLOP; 6 x active parameters x tokens are {flop(expected)}"


@rule(
    "executed-below-model",
    Severity.ERROR,
    "The operations that ran include those of the model: executed FLOP are never fewer.",
)
def executed_below_model(claim: Claim) -> Iterator[str]:
    """Fewer executed than model FLOP."""
    work, executed = claim.get("flop"), claim.get("executed_flop")
    if work and executed and executed < 0.98 * work:
        yield f"{flop(executed)} FLOP were executed of the model's {flop(work)}"

"""Each rule finds what it is for, and says nothing of what is right."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from energy.claims.check import check, errors
from energy.claims.claim import NUMBERS, Claim
from energy.claims.records import claim_of_record
from energy.claims.rows import claim_of_row, columns
from energy.claims.rule import RULES
from tests.support import ROOT
from tests.support.records import run_record

GPT3 = {  # arXiv:2104.10350, table 4
    "params_total": 1.75e11,
    "params_active": 1.75e11,
    "tokens": 3e11,
    "flop": 3.14e23,
    "chips": 10_000,
    "elapsed_s": 355.2 * 3600,
    "watts": 330,
    "pue": 1.1,
    "energy_j": 1287 * 3.6e9,
    "grid_g_per_kwh": 429,
    "co2_g": 552.1e6,
}
WORDS = {"name": "gpt3-175b", "chip": "v100", "boundary": "facility", "workload": "pretrain"}
GLAM = {  # arXiv:2112.06905
    "params_total": 1.16e12,
    "params_active": 9.66e10,
    "tokens": 6e11,
    "flop": 3.48e23,
    "chips": 1024,
    "elapsed_s": 1230 * 3600,
}


def rules_of(numbers, words=WORDS):
    return {finding.rule for finding in check(Claim("test", numbers, words))}


def test_gpt3_and_glam_as_published_break_no_rule():
    assert rules_of(GPT3) == set()
    assert rules_of(GLAM, {"name": "glam-64b-64e", "chip": "tpu-v4"}) == set()


WRONG = {
    "negative": {"energy_j": -1.0},
    "pue": {"pue": 0.91},
    "share": {"mfu": 19.7},
    "active-above-total": {"params_active": 1.75e12, "flop": 3.14e24},
    "size-against-shape": {"layers": 96, "d_model": 12288, "params_total": 1.75e8},
    "size-in-name": {"params_total": 1.75e8},
    "tokens-per-parameter": {"tokens": 3e8},
    "hours-times-chips": {"chip_s": 355.2 * 3600 * 1250},
    "parts-in-run": {"longest_part_s": 1e9},
    "watts-per-chip": {"energy_j": 1287 * 3.6e6},
    "stated-watts": {"watts": 3300},
    "hours-times-watts": {"energy_j": 10_000 * 355.2 * 330 * 3600},
    "boundary-ladder": {"energy_it_j": 2e12, "energy_facility_j": 1e12},
    "facility-over-it": {"energy_it_j": 4e12, "energy_facility_j": 4e12},
    "sum-of-parts": {"energy_chip_j": 2e12, "sum_of_entries_j": 1e12},
    "large": {"energy_j": 1e17},
    "mfu": {"elapsed_s": 14.8 * 3600},
    "high-mfu": {"elapsed_s": 355.2 * 3600 / 3.4, "chips": 10_000},
    "stated-mfu": {"mfu": 0.9},
    "joules-per-flop": {"flop": 3.14e26},
    "flop-against-6pd": {"flop": 3.14e24},
    "executed-below-model": {"executed_flop": 3e22},
    "grid-factor": {"grid_g_per_kwh": 429_000},
    "carbon-per-kwh": {"co2_g": 552.1e9},
    "energy-times-grid": {"co2_g": 100e6},
    "netted": {"co2_offset_g": 400e6, "co2_g": 152.1e6},
    "emissions-rate": {"co2_per_s": 1.0},
    "water": {"water_l": 1e9},
    "embodied": {"co2_embodied_g": 1e12},
}


@pytest.mark.parametrize("rule", WRONG)
def test_each_rule_finds_what_is_changed_in_a_published_run(rule):
    assert rule in rules_of(GPT3 | WRONG[rule])


@pytest.mark.parametrize(
    ("rule", "numbers", "words"),
    [
        ("sparse-6pd", GLAM | {"flop": 6 * 1.16e12 * 6e11}, {}),
        ("joules-per-flop-any", {"flop": 1e20, "energy_j": 1e5}, {}),
        (
            "tdp-as-measured",
            {"chip_s": 3.6e9, "energy_j": 3.6e9 * 700},
            {"chip": "h100", "basis": "measured"},
        ),
        ("carbon-per-chip-hour", {"chip_s": 3.6e9, "co2_g": 1e10}, {"chip": "h100"}),
        ("carbon-unusually-low", {"chip_s": 3.6e9, "co2_g": 3e6}, {"chip": "h100"}),
        ("market-as-location", {"energy_j": 3.6e12, "co2_g": 1e7}, {"zone": "POL"}),
        ("measured-without-meter", {}, {"record": "predicted", "origin": "measured"}),
        ("dates", {}, {"begin": "2026-05-01", "end": "2026-04-01"}),
        ("dates", {"elapsed_s": 864_000}, {"begin": "2026-05-01", "end": "2026-05-02"}),
    ],
)
def test_the_other_rules_find_what_they_are_for(rule, numbers, words):
    assert rule in rules_of(numbers, words)


@pytest.mark.parametrize(("total", "noticed"), [(1.2e12, False), (1.43e11, False), (1.2e15, True)])
def test_the_experts_of_glam_come_on_top_of_the_size_in_its_name(total, noticed):
    """64B of a dense model become 1.2T with 64 experts, of which 96.6B are active."""
    assert (
        "size-in-name" in rules_of({"params_total": total}, {"name": "glam-64b-64e"})
    ) is noticed


def test_every_rule_has_a_test_here_or_is_noticed_while_reading():
    text = (ROOT / "tests/energy/claims/test_rules.py").read_text()
    tested = {name for name in RULES if f'("{name}",' in text or f'            "{name}",' in text}
    assert set(RULES) - set(WRONG) - tested == {"unit", "field"}


def test_the_page_has_every_rule_with_its_reason():
    page = (ROOT / "docs/lint.md").read_text()
    missing = [n for n, r in RULES.items() if f"| `{n}` | {r.severity} | {r.reason} |" not in page]
    assert missing == [], "run: python -m benchmarks.claims --write docs/lint.md"


def test_a_wh_unit_slip_is_described_with_both_figures():
    (finding,) = (
        f
        for f in check(Claim("here", GPT3 | {"energy_j": 1287 * 3.6e6}, WORDS))
        if f.rule == "watts-per-chip"
    )
    assert "0.362 W a chip; its design power is 300 W" in finding.message
    assert finding.where == "here"


@given(st.dictionaries(st.sampled_from(sorted(NUMBERS)), st.floats(-1e30, 1e30), max_size=30))
@example({"chip_s": 5e-324, "co2_g": 0.0})
@example({"layers": 1.0, "d_model": 2e-311, "params_total": 1.0})
@example({"chip_s": 2e-309, "energy_j": 1.0, "pue": 1e-289})
def test_no_figures_crash_a_rule_and_a_minus_is_always_found(numbers):
    noticed = rules_of(numbers, WORDS | {"zone": "FRA", "basis": "measured"})
    assert ("negative" in noticed) == any(value < 0 for value in numbers.values())


@given(st.floats(1e-3, 1e3))
def test_a_claim_scaled_as_a_whole_stays_as_right_as_it_was(scale):
    """Twice the tokens, hours, joules and grams of a run is a run twice as long."""
    grown = {"tokens", "flop", "elapsed_s", "energy_j", "co2_g"}
    numbers = {name: value * (scale if name in grown else 1) for name, value in GPT3.items()}
    assert not errors(check(Claim("test", numbers, WORDS)))


def test_a_record_of_this_project_breaks_no_rule():
    assert check(claim_of_record(run_record(flop=6e8, it_j=100.0), "record")) == []


def test_a_column_means_one_figure_or_word():
    for column, (means, factor) in columns().items():
        assert (means in NUMBERS) == bool(factor), column


def test_words_in_the_place_of_numbers_are_found_and_blank_cells_are_not():
    claim = claim_of_row({"energy_mwh": "12 GWh", "pue": "", "carbon_tco2e": "unknown"}, "row 2")
    assert [(p.rule, p.message) for p in claim.problems] == [
        ("not-a-number", "energy_mwh is '12 GWh'")
    ]
    assert [finding.rule for finding in check(claim)] == ["not-a-number"]

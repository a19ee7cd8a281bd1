"""`simulator crossover`: where a sparse model stops paying."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InfeasibleError, InputError
from energy.facts import catalog
from simulator.questions.budget.crossover import crossover, spaced
from simulator.runs import spend
from simulator.runs.spend import Predicted
from simulator.scenarios.scenario import load
from simulator.scenarios.variants import with_tokens
from tests.support.small_scenarios import EIGHT_H100, UTILIZATION


def on_h100(**more):
    return {"hardware.chip": "h100", "hardware.software": "megatron", **more}


def test_a_mixture_stops_paying_on_a_slow_network():
    answer = crossover(
        "glam-64b-64e",
        "glam-137b",
        over="hardware.network_bytes_per_s",
        low=1e8,
        high=1e11,
        points=4,
        of="days",
        equal="tokens",
        overrides=on_h100(),
    )
    ratios = [point.ratio for point in answer.points]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] > 1 > ratios[-1]
    (where,) = answer.crossings
    # Slower than the 50 GB/s of an H100's own network; 19 GB/s with the constants of 2026-11-29.
    assert 1e9 < where < 5e10


def test_a_speed_that_is_the_chips_own_changes_nothing():
    chip = catalog.chip("h100")
    speeds = {
        "hardware.network_bytes_per_s": chip.network_bytes_per_s,
        "hardware.link_bytes_per_s": chip.link_bytes_per_s,
    }
    own, named = (Predicted()(load("glam-8b-64e", on_h100(**more))) for more in ({}, speeds))
    assert own.elapsed_s.value == named.elapsed_s.value


def test_the_crossover_is_where_the_quotient_is_1():
    # At equal tokens and one utilization the energy ratio is that of FLOP, which grows with the
    # experts' width; the dense model is fixed. Solve for the width by hand from the counts.
    answer = crossover(
        "glam-1.7b-64e",
        "glam-1.7b",
        over="model.shape.d_expert",
        low=2048,
        high=16384,
        points=4,
        equal="tokens",
        **UTILIZATION,
        overrides=EIGHT_H100,
    )
    (edge,) = answer.crossings

    def flop(name, width=None):
        run = load(name, EIGHT_H100 | ({} if width is None else {"model.shape.d_expert": width}))
        return spend.model_flop(with_tokens(run, 1e9))

    dense = flop("glam-1.7b")
    assert flop("glam-1.7b-64e", edge) < dense <= flop("glam-1.7b-64e", edge + 1)
    below = [point.ratio for point in answer.points if point.value <= edge]
    assert all(ratio < 1 for ratio in below)
    assert "it changes after" in answer.headline


def test_a_mixture_that_never_pays_does_so_nowhere_in_the_range():
    answer = crossover(
        "glam-1.7b-64e",
        "glam-1.7b",
        over="model.shape.d_expert",
        low=20_000,
        high=30_000,
        points=2,
        equal="tokens",
        **UTILIZATION,
        overrides=EIGHT_H100,
    )
    assert "nowhere in the range" in answer.headline


def test_overrides_about_experts_are_not_those_of_the_dense_model():
    answer = crossover(
        "glam-1.7b-64e",
        "glam-1.7b",
        over="plan.imbalance",
        low=1.0,
        high=2.5,
        points=3,
        equal="tokens",
        overrides={"hardware.count": 64, "plan.zero": 3, "plan.ep": 8},
    )
    ratios = [point.ratio for point in answer.points]
    assert None not in ratios
    assert ratios == sorted(ratios)


def test_a_range_in_which_nothing_can_be_computed_is_infeasible():
    with pytest.raises(InfeasibleError, match="both runs can be computed"):
        crossover(
            "glam-1.7b-64e",
            "glam-1.7b",
            over="plan.ep",
            low=3,
            high=5,
            points=2,
            equal="tokens",
            overrides={"hardware.count": 64, "plan.zero": 3},
        )


@given(st.integers(1, 100), st.integers(101, 10_000), st.integers(2, 30))
def test_values_are_spaced_between_their_ends(low, high, count):
    values = spaced(low, high, count)
    assert (values[0], values[-1]) == (low, pytest.approx(high))
    assert values == sorted(set(values))
    with pytest.raises(InputError):
        spaced(high, low, count)


def test_a_single_value_is_no_range():
    with pytest.raises(InputError, match="--points"):
        spaced(1, 2, 1)


def test_crossover_draws_and_prints_the_values_that_it_tried(simulator, tmp_path):
    arguments = ("crossover", "glam-mini-16e", "glam-mini", "--over", "run.batch_sequences")
    arguments += ("--from", 1, "--to", 16, "--points", 3, "--beyond-range")
    code, out, _ = simulator(*arguments, "--json", "--plot", "c.svg")
    data = json.loads(out)
    assert (code, [point["value"] for point in data["points"]]) == (0, [1, 4, 16])
    assert all(not math.isnan(point["ratio"]) for point in data["points"])
    assert (tmp_path / "c.svg").exists()
    assert simulator(*arguments)[0] == 0


MINI = ("crossover", "glam-mini-16e", "glam-mini")


TURNED = ("crossover", "glam-mini", "glam-mini-16e")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((*MINI, "--over", "run.batch", "--from", 1, "--to", 2), 2, "did you mean batch_"),
        ((*MINI, "--over", "run.tokens", "--from", 2, "--to", 1), 2, "--from"),
        ((*MINI, "--over", "run.tokens", "--from", 1, "--to", 2, "--of", "mw h"), 2, "--of"),
        ((*TURNED, "--over", "run.tokens", "--from", 1, "--to", 2), 2, "and then a dense model"),
    ],
)
def test_bad_usage_is_a_single_line(simulator, arguments, code, message):
    exit_code, out, err = simulator(*arguments)
    assert (exit_code, out, err.count("\n")) == (code, "", 1)
    assert message in err

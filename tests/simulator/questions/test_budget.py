"""The most that fits a budget, held against trying everything; and where sparse stops paying."""

import json
import math
from dataclasses import asdict

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from energy import shape as shapes
from energy.errors import InfeasibleError, InputError, MissingDataError
from energy.facts import catalog
from energy.quantity import Boundary, Quantity
from simulator.questions.budget.crossover import crossover, spaced
from simulator.questions.budget.inverse import largest_model, last, last_whole, most_tokens
from simulator.runs import spend
from simulator.scenarios.scenario import load
from simulator.scenarios.variants import granule, parameters, scaled, with_layers, with_tokens

SMALL = {
    "hardware.chip": "h100",
    "hardware.count": 8,
    "site.zone": "US",
    "site.pue": 1.2,
    "site.chip_price": 2.0,
}


def scenario(name="glam-1.7b-64e", **more):
    return load(name, SMALL | more)


def exact_spending(one):
    return spend.utilised(
        Quantity.exact(0.4, "1", "test"), Quantity.exact(700.0, "W", "test"), Boundary.CHIP
    )


budgets = st.fixed_dictionaries(
    {},
    optional={
        "days": st.floats(0.01, 100),
        "mwh": st.floats(0.1, 1000),
        "usd": st.floats(100, 1e6),
        "co2": st.floats(0.1, 100),
        "mw": st.floats(0.001, 1),
    },
).filter(bool)


def fits(one, limits, spending):
    used = spend.use(spending(one), limits, 0)
    return all(part <= 1 for part in used.values())


@settings(max_examples=20)
@given(budgets, st.sampled_from([None, 20.0]))
def test_the_largest_model_is_the_one_that_enumeration_finds(limits, per_parameter):
    one = scenario(**{"run.tokens": 1e9})
    spending = exact_spending(one)
    family = [
        with_layers(one, layers, per_parameter) for layers in range(granule(one), 121, granule(one))
    ]
    good = [each for each in family if fits(each, limits, spending)]
    assume(len(good) < len(family))
    if not good:
        with pytest.raises(InfeasibleError):
            largest_model(one, spending, limits, per_parameter)
        return
    found = largest_model(one, spending, limits, per_parameter)
    assert found.answer.value == max(parameters(each) for each in good)
    assert found.answer.low <= found.answer.value <= found.answer.high


@settings(max_examples=20)
@given(budgets)
def test_the_most_tokens_fit_and_a_few_more_do_not(limits):
    one = scenario()
    spending = exact_spending(one)
    try:
        found = most_tokens(one, spending, limits)
    except InfeasibleError:
        assert not fits(with_tokens(one, 1.0), limits, spending)
        return
    most = found.answer.value
    assert fits(with_tokens(one, most), limits, spending)
    if limits.keys() != {"mw"}:
        assert not fits(with_tokens(one, most * (1 + 1e-6)), limits, spending)
        assert found.used[found.binding] == pytest.approx(1, rel=1e-6)
    # Enumeration over a grid of the decimal logarithm.
    grid = [10 ** (place / 10) for place in range(1, 180)]
    tried = [tokens for tokens in grid if fits(with_tokens(one, tokens), limits, spending)]
    assert max(tried, default=0.0) <= most * (1 + 1e-9)
    assert all(tokens in tried for tokens in grid if tokens < most)


@settings(max_examples=8)
@given(st.floats(0.02, 2), st.floats(0.001, 0.05))
def test_the_physics_is_asked_as_a_black_box_and_agrees_with_enumeration(days, mwh):
    one = scenario("glam-0.1b-64e", **{"run.tokens": 1e9, "hardware.count": 1})
    limits = {"days": days, "mwh": mwh}

    def possible(layers):
        try:
            return fits(with_layers(one, layers, None), limits, spend.predicted)
        except InfeasibleError:
            return False

    good = [layers for layers in range(2, 65, 2) if possible(layers)]
    assume(good)
    found = largest_model(one, spend.predicted, limits)
    assert found.scenario.model.resolve().n_layers == max(good)
    assert found.answer.low <= found.answer.value <= found.answer.high


@settings(max_examples=5)
@given(st.floats(0.02, 2), st.floats(0.001, 0.05))
def test_the_most_tokens_by_the_physics_agree_with_predicting_one_by_one(days, mwh):
    one = scenario("glam-0.1b-64e", **{"hardware.count": 1})
    limits = {"days": days, "mwh": mwh}
    grid = [10 ** (place / 4) for place in range(20, 48)]
    good = [tokens for tokens in grid if fits(with_tokens(one, tokens), limits, spend.predicted)]
    assume(0 < len(good) < len(grid))
    assert good == grid[: len(good)]
    most = most_tokens(one, spend.predicted, limits).answer.value
    assert max(good) <= most * (1 + 1e-9)
    assert most < grid[len(good)]


@settings(max_examples=20)
@given(budgets, st.floats(1.01, 5))
def test_a_larger_budget_never_gives_less(limits, factor):
    one = scenario()
    spending = exact_spending(one)
    try:
        less = most_tokens(one, spending, limits).answer.value
    except InfeasibleError:
        return
    more = {name: limit * factor for name, limit in limits.items()}
    assert most_tokens(one, spending, more).answer.value >= less


@given(st.floats(-50, 50), st.integers(-5, 60))
def test_bisection_finds_the_last_that_fits(edge, whole):
    found = last(lambda x: x <= edge, -100.0, 100.0)
    assert found == pytest.approx(edge, abs=1e-9)
    assert last_whole(lambda n: n <= whole, 0, 50) == (None if whole < 0 else min(whole, 50))


def test_a_family_keeps_its_proportions():
    shape = load("glam-64b-64e").model.resolve()
    half = scaled(shape, 32)
    assert (half.d_model, half.n_heads, half.d_ff, half.d_expert, half.n_moe_layers) == (
        4096,
        64,
        16384,
        16384,
        16,
    )
    assert (half.n_experts, half.d_head, half.vocab_size) == (64, 128, shape.vocab_size)
    assert asdict(scaled(shape, 64)) == asdict(shape)
    sizes = [
        float(shapes.total(shapes.parameters(scaled(shape, layers)))) for layers in range(2, 128, 2)
    ]
    assert sizes == sorted(sizes)
    assert granule(load("glam-64b-64e", {"plan": {"pp": 4, "tp": 8}})) % 8 == 0


def test_predicted_watts_are_joules_over_time_without_the_band_of_the_time():
    one = load("glam-mini-16e", {"site.pue": 1.2})
    found = spend.predicted(one)
    value, low, high = found.power_w.numbers()
    assert value == pytest.approx(found.energy_j.value / found.elapsed_s.value)
    assert low > found.energy_j.low / found.elapsed_s.value
    assert high < found.energy_j.high / found.elapsed_s.value
    assert low < value < high


# arXiv:2112.06905: 456 MWh at 600B tokens and 213 MWh at 280B, 1,024 TPU v4 at 326 W, PUE 1.11;
# arXiv:2104.10350: GPT-3 552 t for 300B.
@pytest.mark.parametrize(
    ("name", "limits", "tokens"),
    [
        ("glam-64b-64e", {"mwh": 456}, 600e9),
        ("glam-64b-64e", {"mwh": 213}, 280e9),
        ("gpt3-175b", {"co2": 552}, 300e9),
        ("gpt3-175b", {"days": 14.8}, 300e9),
    ],
)
def test_published_budgets_give_back_the_published_tokens(name, limits, tokens):
    one = load(name)
    found = most_tokens(one, spend.published(one), limits)
    assert found.answer.value == pytest.approx(tokens, rel=0.003)


def test_a_budget_of_power_is_said_to_be_too_small():
    one = scenario()
    with pytest.raises(InfeasibleError, match=r"0\.001 MW where 0\.0"):
        most_tokens(one, exact_spending(one), {"mw": 0.001})


def test_dollars_without_a_price_are_missing():
    one = load("glam-64b-64e")
    with pytest.raises(MissingDataError, match="price"):
        most_tokens(one, spend.published(one), {"usd": 1e6})


def test_a_mixture_stops_paying_on_a_slow_network():
    chip = {"hardware.chip": "h100", "hardware.software": "megatron"}
    found = crossover(
        ("glam-64b-64e", "glam-137b"),
        "hardware.network_bytes_per_s",
        [1e8, 1e9, 1e10, 1e11],
        of="days",
        equal="tokens",
        spending=lambda _: spend.predicted,
        overrides=chip,
    )
    ratios = [point.ratio for point in found.points]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] > 1 > ratios[-1]
    (where,) = found.crossings
    assert 1e9 < where < 1e10


def test_a_speed_that_is_the_chips_own_changes_nothing():
    given = {
        "hardware.network_bytes_per_s": catalog.chip("h100").network_bytes_per_s,
        "hardware.link_bytes_per_s": catalog.chip("h100").link_bytes_per_s,
    }
    chip = {"hardware.chip": "h100", "hardware.software": "megatron"}
    own, named = (spend.predicted(load("glam-8b-64e", chip | more)) for more in ({}, given))
    assert own.elapsed_s.value == named.elapsed_s.value


def test_the_crossover_is_where_the_quotient_is_one():
    # At equal tokens and one utilisation the energy ratio is that of FLOP, which grows with the
    # experts' width; the dense model is fixed. Solve for the width by hand from the counts.
    found = crossover(
        ("glam-1.7b-64e", "glam-1.7b"),
        "model.shape.d_expert",
        [2048, 8192, 16384],
        equal="tokens",
        spending=exact_spending,
        overrides=dict(SMALL),
    )
    (edge,) = found.crossings

    def flop(name, width=None):
        one = load(name, SMALL | ({} if width is None else {"model.shape.d_expert": width}))
        return spend.model_flop(with_tokens(one, 1e9))

    dense = flop("glam-1.7b")
    assert flop("glam-1.7b-64e", edge) < dense <= flop("glam-1.7b-64e", edge + 1)
    below = [point.ratio for point in found.points if point.value <= edge]
    assert all(ratio < 1 for ratio in below)
    assert "it changes after" in found.verdict()


def test_a_mixture_that_never_pays_is_said_to():
    found = crossover(
        ("glam-1.7b-64e", "glam-1.7b"),
        "model.shape.d_expert",
        [20_000, 30_000],
        equal="tokens",
        spending=exact_spending,
        overrides=dict(SMALL),
    )
    assert "nowhere in the range" in found.verdict()


def test_what_says_something_of_experts_is_not_laid_over_the_dense_model():
    laid = {"hardware.count": 64, "plan.zero": 3, "plan.ep": 8}
    found = crossover(
        ("glam-1.7b-64e", "glam-1.7b"),
        "plan.imbalance",
        [1.0, 1.5, 2.5],
        equal="tokens",
        spending=lambda one: spend.predicted,
        overrides=laid,
    )
    ratios = [point.ratio for point in found.points]
    assert None not in ratios
    assert ratios == sorted(ratios)


def test_nothing_that_can_be_computed_is_infeasible_and_not_a_picture():
    with pytest.raises(InfeasibleError, match="both runs can be computed"):
        crossover(
            ("glam-1.7b-64e", "glam-1.7b"),
            "plan.ep",
            [3, 5],
            equal="tokens",
            spending=lambda one: spend.predicted,
            overrides={"hardware.count": 64, "plan.zero": 3},
        )


@given(st.integers(1, 100), st.integers(101, 10_000), st.integers(2, 30))
def test_values_are_spaced_between_their_ends(low, high, count):
    found = spaced(low, high, count)
    assert (found[0], found[-1]) == (low, pytest.approx(high))
    assert found == sorted(set(found))
    with pytest.raises(InputError):
        spaced(high, low, count)


def test_the_verbs(simulator, tmp_path):
    code, out, err = simulator("inverse", "glam-64b-64e", "--mwh", 456, "--days", 60, "--json")
    told = json.loads(out)
    assert (code, err, told["binding"]) == (0, "", "mwh")
    assert told["answer"]["value"] == pytest.approx(600e9, rel=0.003)
    assert told["budgets"]["days"]["slack"] == pytest.approx(60 - 51.2, abs=0.1)
    code, out, _ = simulator(
        "inverse",
        "gpt3-175b",
        "--most",
        "size",
        "--mwh",
        1000,
        "--mfu",
        0.4,
        "--tokens-per-parameter",
        20,
    )
    assert (code, "binds" in out, "layers of width" in out) == (0, True, True)
    arguments = (
        "crossover",
        "glam-mini-16e",
        "glam-mini",
        "--over",
        "run.batch_sequences",
        "--from",
        1,
        "--to",
        16,
        "--points",
        3,
    )
    code, out, _ = simulator(*arguments, "--json", "--plot", "c.svg")
    told = json.loads(out)
    assert (code, [point["value"] for point in told["points"]]) == (0, [1, 4, 16])
    assert all(not math.isnan(point["ratio"]) for point in told["points"])
    assert (tmp_path / "c.svg").exists()
    assert simulator(*arguments)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("inverse", "gpt3-175b"), 2, "expected a budget"),
        (("inverse", "gpt3-175b", "--mwh", 0), 2, "--mwh above 0"),
        (("inverse", "gpt3-175b", "--mwh", 1, "--most", "depth"), 2, "--most"),
        (("inverse", "gpt3-175b", "--mwh", 1, "--mfu", 2), 2, "--mfu"),
        (("inverse", "gpt3-175b", "--mwh", 1, "--watts", 2), 2, "--mfu"),
        (("inverse", "gpt3-175b", "--usd", 1e6), 4, "price"),
        (("inverse", "gpt3-175b", "--mw", 0.01), 3, "0.01 MW"),
        (
            (
                "crossover",
                "glam-mini-16e",
                "glam-mini",
                "--over",
                "run.batch",
                "--from",
                1,
                "--to",
                2,
            ),
            2,
            "did you mean batch_",
        ),
        (
            (
                "crossover",
                "glam-mini-16e",
                "glam-mini",
                "--over",
                "run.tokens",
                "--from",
                2,
                "--to",
                1,
            ),
            2,
            "--from",
        ),
        (
            (
                "crossover",
                "glam-mini",
                "glam-mini-16e",
                "--over",
                "run.tokens",
                "--from",
                1,
                "--to",
                2,
            ),
            2,
            "and then a dense model",
        ),
    ],
)
def test_bad_usage_is_one_line(simulator, arguments, code, said):
    found, out, err = simulator(*arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert said in err

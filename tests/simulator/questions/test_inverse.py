"""`simulator inverse`: the most that fits a budget, compared with trying everything."""

import json
from dataclasses import asdict

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from energy import shape as shapes
from energy.errors import InfeasibleError, MissingDataError
from simulator.questions.budget.inverse import largest_model, most_tokens
from simulator.runs import spend
from simulator.runs.spend import Predicted
from simulator.scenarios.scenario import load
from simulator.scenarios.variants import granule, parameters, scaled, with_layers, with_tokens
from tests.support.small_scenarios import EIGHT_H100, UTILIZATION


def scenario(name="glam-1.7b-64e", **more):
    return load(name, EIGHT_H100 | more)


def at_utilization(run):
    return spend.at_utilization(run, **UTILIZATION)


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


def fits(run, limits, spending):
    used = spend.used(spending(run), limits, 0)
    return all(part <= 1 for part in used.values())


@settings(max_examples=20)
@given(budgets, st.sampled_from([None, 20.0]))
def test_the_largest_model_is_that_of_an_enumeration(limits, per_parameter):
    run = scenario(**{"run.tokens": 1e9})
    spending = at_utilization(run)
    family = [
        with_layers(run, layers, per_parameter) for layers in range(granule(run), 121, granule(run))
    ]
    fitting = [member for member in family if fits(member, limits, spending)]
    assume(len(fitting) < len(family))
    arguments = limits | UTILIZATION | {"tokens_per_parameter": per_parameter}
    if not fitting:
        with pytest.raises(InfeasibleError):
            largest_model(run, **arguments)
        return
    most = largest_model(run, **arguments).most
    assert most.value == max(parameters(member) for member in fitting)
    assert most.low <= most.value <= most.high


@settings(max_examples=20)
@given(budgets)
def test_the_most_tokens_fit_and_a_few_more_do_not(limits):
    run = scenario()
    spending = at_utilization(run)
    try:
        answer = most_tokens(run, **limits, **UTILIZATION)
    except InfeasibleError:
        assert not fits(with_tokens(run, 1.0), limits, spending)
        return
    most = answer.most.value
    assert fits(with_tokens(run, most), limits, spending)
    if limits.keys() != {"mw"}:
        assert not fits(with_tokens(run, most * (1 + 1e-6)), limits, spending)
        assert answer.used[answer.binding] == pytest.approx(1, rel=1e-6)
    # Enumeration over a grid of the decimal logarithm.
    grid = [10 ** (place / 10) for place in range(1, 180)]
    fitting = [tokens for tokens in grid if fits(with_tokens(run, tokens), limits, spending)]
    assert max(fitting, default=0.0) <= most * (1 + 1e-9)
    assert all(tokens in fitting for tokens in grid if tokens < most)


@settings(max_examples=8)
@given(st.floats(0.02, 2), st.floats(0.001, 0.05))
def test_the_largest_predicted_model_is_that_of_an_enumeration(days, mwh):
    run = scenario("glam-0.1b-64e", **{"run.tokens": 1e9, "hardware.count": 1})
    limits = {"days": days, "mwh": mwh}

    def possible(layers):
        try:
            return fits(with_layers(run, layers, None), limits, Predicted())
        except InfeasibleError:
            return False

    fitting = [layers for layers in range(2, 65, 2) if possible(layers)]
    assume(fitting)
    answer = largest_model(run, **limits, basis="predicted")
    assert answer.run.scenario.model.resolve().n_layers == max(fitting)
    assert answer.most.low <= answer.most.value <= answer.most.high


@settings(max_examples=5)
@given(st.floats(0.02, 2), st.floats(0.001, 0.05))
def test_the_most_predicted_tokens_agree_with_a_prediction_of_each_length(days, mwh):
    run = scenario("glam-0.1b-64e", **{"hardware.count": 1})
    limits = {"days": days, "mwh": mwh}
    grid = [10 ** (place / 4) for place in range(20, 48)]
    fitting = [tokens for tokens in grid if fits(with_tokens(run, tokens), limits, Predicted())]
    assume(0 < len(fitting) < len(grid))
    assert fitting == grid[: len(fitting)]
    most = most_tokens(run, **limits, basis="predicted").most.value
    assert max(fitting) <= most * (1 + 1e-9)
    assert most < grid[len(fitting)]


@settings(max_examples=20)
@given(budgets, st.floats(1.01, 5))
def test_a_larger_budget_never_fits_less(limits, factor):
    run = scenario()
    try:
        less = most_tokens(run, **limits, **UTILIZATION).most.value
    except InfeasibleError:
        return
    more = {name: limit * factor for name, limit in limits.items()}
    assert most_tokens(run, **more, **UTILIZATION).most.value >= less


def test_a_question_about_a_budget_predicts_each_length_once_and_estimates_one_step(monkeypatch):
    tokens, estimates = [], []
    prediction, estimate = Predicted.prediction, spend.estimate
    monkeypatch.setattr(
        Predicted,
        "prediction",
        lambda self, run: (tokens.append(run.run.tokens), prediction(self, run))[1],
    )
    monkeypatch.setattr(
        spend, "estimate", lambda setup: (estimates.append(setup), estimate(setup))[1]
    )
    most_tokens("glam-64b-64e", mwh=456, days=60, basis="predicted")
    assert len(estimates) == 1
    assert len(tokens) == len(set(tokens)) <= 2


@pytest.mark.parametrize("name", ["deepseek-v3", "gpt3-175b", "qwen3-30b-a3b", "llama3-8b"])
def test_the_largest_model_leaves_less_of_the_budget_than_one_more_layer_takes(name):
    run = {"run.tokens": 1e11, "run.batch_sequences": 256, "run.batch_tokens": None}
    run |= {"hardware.chip": "h100", "hardware.count": 64, "run.steps": None}
    answer = largest_model(name, days=20, overrides=run, **UTILIZATION)
    layers = answer.run.scenario.model.resolve().n_layers
    assert answer.used["days"] > (layers / (layers + 1)) ** 4
    assert answer.binding == "days"
    assert answer.beyond.scenario.model.resolve().n_layers == layers + 1
    assert f"the next size, {layers + 1:g} layers, takes" in answer.text()


def test_a_budget_binds_only_if_more_would_break_it():
    answer = most_tokens(scenario(), mw=1.0, **UTILIZATION)
    assert answer.binding is None
    text = answer.text()
    assert "binds" not in text
    assert "no budget is in the way" in text


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
    predicted = Predicted()(load("glam-mini-16e", {"site.pue": 1.2}))
    value, low, high = predicted.power_w.numbers()
    assert value == pytest.approx(predicted.energy_j.value / predicted.elapsed_s.value)
    assert low > predicted.energy_j.low / predicted.elapsed_s.value
    assert high < predicted.energy_j.high / predicted.elapsed_s.value
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
def test_published_budgets_reproduce_the_published_tokens(name, limits, tokens):
    assert most_tokens(name, **limits).most.value == pytest.approx(tokens, rel=0.003)


def test_a_budget_of_power_that_is_too_small_is_refused_with_the_power_that_is_needed():
    with pytest.raises(InfeasibleError, match=r"0\.001 MW where 0\.0"):
        most_tokens(scenario(), mw=0.001, **UTILIZATION)


def test_dollars_without_a_price_are_missing():
    with pytest.raises(MissingDataError, match="price"):
        most_tokens("glam-64b-64e", usd=1e6)


def test_the_explained_run_is_the_one_that_fits():
    answer = most_tokens("glam-8b-64e", mwh=100, basis="predicted")
    terms = answer.terms()
    assert terms["energy"].value() == pytest.approx(100 * 3.6e9, rel=1e-9)
    assert terms["time"].quantity == answer.run.spend.elapsed_s
    assert "money" not in terms


def test_inverse_prints_what_binds_and_what_is_left(simulator):
    code, out, err = simulator("inverse", "glam-64b-64e", "--mwh", 456, "--days", 60, "--json")
    data = json.loads(out)
    assert (code, err, data["binding"]) == (0, "", "mwh")
    assert data["answer"]["value"] == pytest.approx(600e9, rel=0.003)
    assert data["budgets"]["days"]["slack"] == pytest.approx(60 - 51.2, abs=0.1)
    size = ("--most", "size", "--mfu", 0.4, "--tokens-per-parameter", 20)
    code, out, _ = simulator("inverse", "gpt3-175b", "--mwh", 1000, *size)
    assert (code, "binds" in out, "layers of width" in out) == (0, True, True)


def test_what_was_assumed_at_a_utilization_is_said_too():
    line = most_tokens("glam-64b-64e", mwh=456, mfu=0.3).left_open
    assert "goodput 0.950 (run.goodput" in line
    assert "watts of a chip 326 W (--watts)" in line
    assert "node over chip" not in line  # those watts hold the host
    own = most_tokens("glam-64b-64e", mwh=456, mfu=0.3, watts=200, overrides={"run.goodput": 0.9})
    assert "node over chip" in own.left_open
    assert "goodput" not in own.left_open
    assert "goodput" not in most_tokens("glam-64b-64e", mwh=456).left_open


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("inverse", "gpt3-175b"), 2, "expected a budget"),
        (("inverse", "gpt3-175b", "--mwh", 0), 2, "--mwh above 0"),
        (("inverse", "gpt3-175b", "--mwh", 1, "--most", "depth"), 2, "--most"),
        (("inverse", "gpt3-175b", "--mwh", 1, "--tokens-per-parameter", 20), 2, "--most size"),
        (("inverse", "gpt3-175b", "--mwh", 1, "--mfu", 2), 2, "--mfu"),
        (("inverse", "gpt3-175b", "--mwh", 1, "--watts", 2), 2, "--mfu"),
        (("inverse", "gpt3-175b", "--usd", 1e6), 4, "price"),
        (("inverse", "gpt3-175b", "--mw", 0.01), 3, "0.01 MW"),
    ],
)
def test_bad_usage_is_a_single_line(simulator, arguments, code, message):
    exit_code, out, err = simulator(*arguments)
    assert (exit_code, out, err.count("\n")) == (code, "", 1)
    assert message in err

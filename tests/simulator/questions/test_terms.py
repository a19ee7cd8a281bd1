"""`--explain` of the questions: each tree is the computation of the number that it explains."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.facts.grid_series import read_series
from energy.quantity import Origin, Quantity
from energy.units import S_PER_DAY
from simulator.questions.budget.crossover import crossover
from simulator.questions.failures.terms import terms as terms_of_failures
from simulator.questions.regions.answer import regions
from simulator.questions.when.answer import Options, schedule
from simulator.runs.failures import failure_costs
from simulator.runs.jobs import Job
from simulator.runs.predict import predict
from simulator.runs.spend import spend_of
from simulator.scenarios.scenario import load
from simulator.terms import walk


def job(chips=512, days=10.0, mw=1.0):
    exact = {"source": "test", "origin": Origin.ASSUMED}
    return Job(
        name="test",
        chips=chips,
        training_s=Quantity.exact(days * S_PER_DAY, "s", **exact),
        power_w=Quantity.exact(mw * 1e6, "W", **exact),
    )


def checked(tree):
    """The tree, after a check that every inner number follows from the ones below it."""
    for term in walk(tree):
        assert term.value() == pytest.approx(term.quantity.value, rel=1e-9)
        assert term.quantity.source
    return tree


def test_a_run_is_explained_to_every_number_that_is_predicted_of_it():
    prediction = predict(load("glam-8b-64e", {"site.chip_price": 2.0, "site.zone": "US"}))
    trees, spend = prediction.terms_by_budget(), spend_of(prediction)
    for name, quantity in (
        ("days", spend.elapsed_s),
        ("mwh", spend.energy_j),
        ("mw", spend.power_w),
        ("usd", spend.cost_usd),
        ("co2", spend.co2_g),
    ):
        assert checked(trees[name]).quantity.value == pytest.approx(quantity.value)
    unrented = predict(load("glam-8b-64e", {"site.electricity_price": 0.1}))
    dollars = checked(unrented.terms_by_budget()["usd"]).quantity.value
    assert dollars == pytest.approx(spend_of(unrented).cost_usd.value)


@settings(max_examples=10)
@given(
    st.integers(1, 20_000),
    st.floats(1e4, 1e6),
    st.floats(0, 300),
    st.floats(0, 3600),
    st.floats(0, 48),
    st.integers(0, 20),
)
def test_failures_are_explained_to_their_energy(chips, mtbf, save, restart, repair, spares):
    values = {"mtbf_chip_h": mtbf, "save_s": save, "restart_s": restart, "repair_h": repair}
    costs = failure_costs(job(chips), values, spares=spares)
    between_failures, energy = terms_of_failures(costs).values()
    assert checked(between_failures).quantity.value == pytest.approx(costs.middle.mtbf_s)
    assert checked(energy).quantity == costs.energy_j
    assert energy.find("elapsed time").quantity == costs.elapsed_s
    assert energy.find("goodput").quantity == costs.goodput


def test_the_elapsed_time_of_a_failing_job_is_explained_without_watts():
    unknown = Job(
        name="test", chips=64, training_s=job().training_s, power_w=Quantity.absent("W", "name it")
    )
    assert list(terms_of_failures(failure_costs(unknown, {}))) == [
        "time between failures of the job",
        "elapsed time",
    ]


@pytest.fixture
def series(tmp_path):
    start = datetime(2025, 1, 1, tzinfo=UTC)
    rows = (
        f"{start + timedelta(hours=hour):%Y-%m-%dT%H:%MZ},{100 + 400 * (hour % 24 > 12) + hour}"
        for hour in range(24 * 40)
    )
    (tmp_path / "grid.csv").write_text("time,g_per_kwh\n" + "\n".join(rows))
    return read_series(tmp_path / "grid.csv")


@pytest.mark.parametrize("stretch", [1.0, 1.5])
def test_each_start_is_explained_to_its_grams(stretch, series):
    answer = schedule(job(days=5.0), series, Options(stretch=stretch))
    grams = {name: checked(tree).quantity.value for name, tree in answer.terms().items()}
    assert grams["best start"] == pytest.approx(answer.steady.co2_g[answer.steady.best])
    assert grams["worst start"] == pytest.approx(answer.steady.co2_g[answer.steady.worst])
    assert grams["flat factor"] == pytest.approx(answer.flat_g)
    assert ("best start, with pauses" in grams) == (stretch > 1)
    if stretch > 1:
        paused = answer.paused.co2_g[answer.paused.best]
        assert grams["best start, with pauses"] == pytest.approx(paused)


@pytest.mark.parametrize(
    ("name", "basis"),
    [("gpt3-175b", "published"), ("glam-64b-64e", "published"), ("glam-8b-64e", "predicted")],
)
def test_a_run_at_another_place_is_explained_to_its_grams_there(name, basis):
    places = ("FRA", "US", "openai-gpt3")
    of_scenario = regions(*places, of=name, basis=basis)
    of_record = regions(*places, of=of_scenario.record)
    for answer in (of_scenario, of_record):
        trees = answer.terms()
        for run in answer.rows:
            grams = checked(trees[run.place.id]).quantity.value
            assert grams == pytest.approx(run.record.co2_location_g.value)


@pytest.mark.parametrize("of", ["mwh", "days", "mw", "co2"])
def test_a_quotient_is_explained_by_both_runs(of):
    trees = crossover(
        "glam-64b-64e",
        "glam-137b",
        over="hardware.network_bytes_per_s",
        low=1e8,
        high=1e11,
        points=2,
        of=of,
        equal="tokens",
        overrides={"hardware.chip": "h100", "hardware.software": "megatron"},
    ).terms()
    assert trees
    for tree in trees.values():
        assert tree.value() == pytest.approx(tree.quantity.value, rel=1e-9)
        assert [part.name.split(" of ")[-1] for part in tree.children] == [
            "glam-64b-64e",
            "glam-137b",
        ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("failures", "--chips", 512, "--days", 10, "--mw", 1),
        (
            "crossover",
            "glam-64b-64e",
            "glam-137b",
            "--over",
            "run.tokens",
            "--from",
            1e10,
            "--to",
            1e12,
            "--points",
            3,
            "--mfu",
            0.3,
            "--beyond-range",
        ),
        ("regions", "--of", "gpt3-175b", "FRA"),
        ("sensitivity", "gpt3-175b", "--basis", "published"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_the_verbs_explain_on_the_page_and_in_json(simulator, arguments):
    code, plain, _ = simulator(*arguments)
    assert code == 0
    code, out, err = simulator(*arguments, "--explain")
    assert (code, err) == (0, "")
    assert out.startswith(plain)
    assert "└─ " in out[len(plain) :]
    code, out, _ = simulator(*arguments, "--explain", "--json")
    explained = json.loads(out)["explain"]
    tree = explained[0] if isinstance(explained, list) else explained
    assert tree["children"]
    assert tree["formula"]

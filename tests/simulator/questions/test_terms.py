"""`--explain` of the questions: each tree is the computation of the number that it explains."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.quantity import Origin, Quantity
from energy.units import S_PER_DAY
from simulator.questions.budget.crossover import crossover
from simulator.questions.failures.terms import of_failures
from simulator.questions.regions.answer import choose, move, places
from simulator.questions.regions.terms import of_moved
from simulator.questions.when.answer import schedule
from simulator.questions.when.series import read as read_series
from simulator.questions.when.terms import of_schedule
from simulator.runs import predict as trees
from simulator.runs import spend
from simulator.runs.failures import Job, losses
from simulator.runs.sides import read, sides
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


def computed(tree):
    """Whether every inner number follows from the ones below it."""
    for term in walk(tree):
        assert term.value() == pytest.approx(term.quantity.value, rel=1e-9)
        assert term.quantity.source
    return tree


def test_a_run_is_explained_to_every_number_that_is_predicted_of_it():
    scenario = load("glam-8b-64e", {"site.chip_price": 2.0, "site.zone": "US"})
    found, known = trees.of_run(scenario), spend.predicted(scenario)
    for name, quantity in (
        ("days", known.elapsed_s),
        ("mwh", known.energy_j),
        ("mw", known.power_w),
        ("usd", known.cost_usd),
        ("co2", known.co2_g),
    ):
        assert computed(found[name]).quantity.value == pytest.approx(quantity.value)
    without = load("glam-8b-64e", {"site.electricity_price": 0.1})
    assert computed(trees.of_run(without)["usd"]).quantity.value == pytest.approx(
        spend.predicted(without).cost_usd.value
    )


@settings(max_examples=10)
@given(
    st.integers(1, 20_000),
    st.floats(1e4, 1e6),
    st.floats(0, 300),
    st.floats(0, 3600),
    st.floats(0, 48),
    st.integers(0, 20),
)
def test_failures_are_explained_to_their_joules(chips, mtbf, save, restart, repair, spares):
    given = {"mtbf_chip_h": mtbf, "save_s": save, "restart_s": restart, "repair_h": repair}
    found = losses(job(chips), given, spares=spares)
    between, energy = of_failures(found)
    assert computed(between).quantity.value == pytest.approx(found.middle.mtbf_s)
    assert computed(energy).quantity == found.energy_j
    assert energy.find("elapsed time").quantity == found.elapsed_s
    assert energy.find("goodput").quantity == found.goodput


def test_without_watts_the_time_of_failures_is_still_explained():
    unknown = Job(
        name="test", chips=64, training_s=job().training_s, power_w=Quantity.absent("W", "name it")
    )
    found = losses(unknown, {})
    assert [tree.name for tree in of_failures(found)] == [
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
    found = schedule(
        job(days=5.0), series, stretch=stretch, yearly=Quantity.absent("g/kWh", "none")
    )
    told = {name: computed(tree).quantity.value for name, tree in of_schedule(found).items()}
    assert told["best start"] == pytest.approx(found.plain.co2_g[found.plain.best])
    assert told["worst start"] == pytest.approx(found.plain.co2_g[found.plain.worst])
    assert told["flat factor"] == pytest.approx(found.flat_g)
    assert ("best start, with pauses" in told) == (stretch > 1)
    if stretch > 1:
        paused = found.paused.co2_g[found.paused.best]
        assert told["best start, with pauses"] == pytest.approx(paused)


@pytest.mark.parametrize(
    ("name", "basis"),
    [("gpt3-175b", "published"), ("glam-64b-64e", "published"), ("glam-8b-64e", "predicted")],
)
def test_a_run_at_another_place_is_explained_to_its_grams_there(name, basis):
    (side,) = sides(read([name], {}), basis, None)
    for moved in move(side.record, choose(places(), ["FRA", "US", "openai-gpt3"])):
        for own in (side.trees, ()):
            tree = of_moved(own, moved)
            told = computed(tree).quantity.value
            assert told == pytest.approx(moved.record.co2_location_g.value)


@pytest.mark.parametrize("of", ["mwh", "days", "mw", "co2"])
def test_a_quotient_is_explained_by_both_runs(of):
    terms = crossover(
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
    assert terms
    for tree in terms.values():
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
    told = json.loads(out)["explain"]
    tree = told[0] if isinstance(told, list) else told
    assert tree["children"]
    assert tree["formula"]

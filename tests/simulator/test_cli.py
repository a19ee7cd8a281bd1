"""The command `simulator`, as a user types it."""

import csv
import io
import json

import pytest
import typer

from energy.quantity import Origin
from energy.record import Kind
from simulator.kit.options import whole_of
from simulator.scenarios.scenario import presets
from tests.support.records import run_record


def compared(simulator, *arguments):
    code, out, err = simulator("compare", *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


# Patterson et al. (arXiv:2104.10350, table 4; arXiv:2204.05149) and the GLaM paper
# (arXiv:2112.06905): 456 against 1,287 MWh, 40.2 against 552 t; products of their own chips,
# hours, watts and PUE come within 0.3 % of the totals that they print.
PUBLISHED = [
    ("glam-64b-64e", 456, 40.2, 51.25, 3.48e23, 1.162e12, 96.6e9),
    ("gpt3-175b", 1287, 552, 14.8, 3.15e23, 175e9, 175e9),
    ("glam-64b-64e-280b", 213, 18.7, 23.9, 1.62e23, 1.162e12, 96.6e9),
]


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row[0])
def test_published_runs_are_reproduced_from_their_published_inputs(simulator, row):
    name, energy_mwh, co2_t, days, flop, total, active = row
    other = "gpt3-175b" if name != "gpt3-175b" else "glam-64b-64e"
    side = compared(simulator, name, other)["scenarios"][0]
    assert side["name"] == name
    assert side["energy_mwh"]["value"] == pytest.approx(energy_mwh, rel=0.003)
    assert side["co2_t"]["value"] == pytest.approx(co2_t, rel=0.003)
    assert side["elapsed_days"]["value"] == pytest.approx(days, rel=0.003)
    assert side["model_flop"]["value"] == pytest.approx(flop, rel=0.005)
    assert side["params_total"]["value"] == pytest.approx(total, rel=0.005)
    assert side["params_active"]["value"] == pytest.approx(active, rel=0.005)


def test_the_headline_ratio_is_taken_apart_as_published(simulator):
    both = ("glam-64b-64e", "gpt3-175b", "--accounting", "as-published")
    ratio = compared(simulator, *both)["ratio"]
    factors = {name: ratio[name]["value"] for name in ratio if name != "boundary"}
    assert factors == pytest.approx(
        {
            "model": 0.906,
            "machine": 3.15,
            "mechanisation": 0.991,
            "map": 4.88,
            "energy": 2.83,
            "co2": 13.8,
        },
        rel=0.002,
    )
    product = factors["model"] * factors["machine"] * factors["mechanisation"]
    assert product == pytest.approx(factors["energy"], rel=1e-9)
    assert product * factors["map"] == pytest.approx(factors["co2"], rel=1e-9)


def test_every_number_of_a_comparison_has_origin_band_and_source(simulator):
    for side in compared(simulator, "glam-64b-64e", "gpt3-175b")["scenarios"]:
        for name in ("energy_mwh", "co2_t", "elapsed_days", "model_flop", "params_total"):
            quantity = side[name]
            assert quantity["low"] <= quantity["value"] <= quantity["high"]
            assert quantity["origin"] in ("measured", "modelled", "assumed")
            assert quantity["source"]


def test_gross_against_net_is_refused_until_requested_and_then_comes_with_a_caution(simulator):
    _, out, _ = simulator("compare", "glam-64b-64e", "gpt3-175b")
    assert "456 MWh against 1,287 MWh; 40.2 t net against 552 t gross of CO2e" in out
    assert out.count("refused") == 2
    ratio = compared(simulator, "glam-64b-64e", "gpt3-175b")["ratio"]
    assert (ratio["co2"]["value"], ratio["map"]["value"]) == (None, None)
    assert "--accounting as-published" in ratio["co2"]["source"]
    _, out, _ = simulator("compare", "glam-64b-64e", "gpt3-175b", "--accounting", "as-published")
    assert "refused" not in out
    assert "CAUTION the CO2 factors are not of one kind" in out
    assert "\nequal: nothing" in out
    warnings = compared(simulator, "glam-64b-64e", "gpt3-175b")["warnings"]
    assert any("gross" in text for text in warnings)


def test_liters_and_dollars_stand_side_by_side_where_they_are_known(simulator):
    known = ("--set", "site.wue=1.0", "--set", "site.ewif=3.1", "--set", "site.chip_price=2.0")
    first, second = compared(simulator, "glam-64b-64e", "gpt3-175b", *known)["scenarios"]
    # 2 dollars a chip-hour: 1,024 chips x 1,230 h and 10,000 x 355 h.
    assert first["cost_usd"]["value"] == pytest.approx(2 * 1024 * 51.25 * 24, rel=0.003)
    assert second["cost_usd"]["value"] == pytest.approx(2 * 10_000 * 14.8 * 24, rel=0.003)
    assert second["water_l"]["value"] > first["water_l"]["value"] > 0
    _, out, _ = simulator("compare", "glam-64b-64e", "gpt3-175b", *known)
    rows = [line for line in out.splitlines() if line.startswith(("water ", "dollars "))]
    assert len(rows) == 2
    assert all(line.split()[-1].replace(".", "").isdigit() for line in rows)
    _, out, _ = simulator("compare", "glam-64b-64e", "gpt3-175b")
    assert not any(line.startswith("dollars") for line in out.splitlines())


@pytest.mark.parametrize(
    ("measure", "key"),
    [
        ("tokens", "tokens"),
        ("flop", "model_flop"),
        ("energy", "energy_mwh"),
        ("time", "elapsed_days"),
    ],
)
def test_runs_are_equal_in_the_measure_of_the_option(simulator, measure, key):
    data = compared(simulator, "glam-64b-64e", "gpt3-175b", "--equal", measure)
    first, second = (side[key]["value"] for side in data["scenarios"])
    assert second == pytest.approx(first, rel=1e-9)


def test_a_comparison_of_records_is_the_same_code(simulator, tmp_path):
    run_record("a").save(tmp_path / "a" / "record.json")
    run_record("b", flop=2e15).save(tmp_path / "b" / "record.json")
    data = compared(simulator, tmp_path / "a", tmp_path / "b" / "record.json")
    assert data["basis"] == "recorded"
    assert data["ratio"]["model"]["value"] == 2


@pytest.mark.parametrize(
    ("text", "number"), [("512", 512), ("4,096", 4096), ("2K", 2000), ("16_384", 16384)]
)
def test_counts_of_chips_are_written_as_tokens_are(text, number):
    assert whole_of(text) == number


@pytest.mark.parametrize("text", ["abc", "1.5", "inf", "nan", ""])
def test_what_is_no_whole_number_is_refused(text):
    with pytest.raises(typer.BadParameter, match="expected a whole number such as"):
        whole_of(text)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("compare", "glam-64b-64e", "gpt3-175"), 2, "did you mean gpt3-175b"),
        (("compare", "glam-64b-64e"), 2, "two runs or more"),
        (("compare", "glam-64b-64e", "gpt3-175b", "--equal", "joules"), 2, "--equal"),
        (("compare", "glam-64b-64e", "gpt3-175b", "--set", "run.token=1"), 2, "mean tokens"),
        (("compare", "glam-64b-64e", "gpt3-175b", "--set", "tokens"), 2, "KEY=VALUE"),
        (("compare", "glam-64b-64e", "absent.toml"), 2, "absent.toml"),
        (("compare", "glam-64b-64e", "glam-8b-64e", "--basis", "published"), 4, "[published]"),
        (("validate",), 2, "--records DIR"),
        (("validate", "--records", "absent"), 2, "expected a record"),
        (("init", "--from", "glam-64"), 2, "did you mean"),
    ],
)
def test_bad_usage_is_a_single_clear_line_and_an_exit_code(simulator, arguments, code, message):
    exit_code, out, err = simulator(*arguments)
    assert (exit_code, out) == (code, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize("preset", [None, *presets()])
def test_init_writes_a_scenario_and_never_over_another(simulator, tmp_path, preset):
    arguments = ("init", "s.toml", *(["--from", preset] if preset else []))
    code, out, _ = simulator(*arguments)
    assert code == 0
    assert "simulator predict s.toml" in out
    text = (tmp_path / "s.toml").read_text()
    code, _, err = simulator(*arguments)
    assert code == 2
    assert "--force" in err
    assert (tmp_path / "s.toml").read_text() == text


def test_validate_exits_with_5_outside_the_tolerance_and_0_inside(simulator, tmp_path):
    run_record("a", elapsed_s=100).save(tmp_path / "a" / "record.json")
    run_record("a", Kind.PREDICTED, elapsed_s=112, origin=Origin.MODELLED, relative=0.2).save(
        tmp_path / "a-predicted" / "record.json"
    )
    code, out, _ = simulator("validate", "--records", tmp_path, "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)["agreements"][0]["rows"]}
    assert rows["elapsed time"]["error"] == pytest.approx(0.12)
    assert rows["elapsed time"]["in_band"] is True
    assert simulator("validate", "--records", tmp_path, "--tolerance", "0.2")[0] == 0
    code, out, err = simulator("validate", "--records", tmp_path, "--tolerance", "0.1")
    assert (code, "+12.0%" in out) == (5, True)
    assert err.startswith("error: expected errors within 10%")


def test_models_and_chips_are_listed_with_their_sources(simulator):
    for verb in ("models", "chips"):
        code, out, _ = simulator(verb, "--json")
        rows = json.loads(out)
        assert code == 0
        assert all(row["source"] and row["status"] for row in rows)
        assert simulator(verb)[0] == 0
    code, out, _ = simulator("models", "glam-64b-64e", "--json")
    (row,) = json.loads(out)
    assert row["params_total"] == pytest.approx(1.16e12, rel=0.005)
    assert round(row["params_active"] / 1e9, 1) == 96.6
    code, _, err = simulator("chips", "tpu-v44")
    assert code == 2
    assert "did you mean" in err


LISTS = [("models", "parameters / billion"), ("chips", "TFLOP/s"), ("prices", "USD/kWh")]


@pytest.mark.parametrize(("verb", "unit"), LISTS)
def test_lists_are_drawn_with_a_unit_and_explain_that_rows_are_facts(
    simulator, tmp_path, verb, unit
):
    code, out, err = simulator(verb, "--plot", "a.html", "--explain")
    assert (code, err) == (0, "")
    assert out.endswith("no derivation: rows of the catalog, each with its source\n")
    assert unit in (tmp_path / "a.html").read_text()
    code, out, _ = simulator(verb, "--json", "--explain")
    assert code == 0
    assert all(row["source"] for row in json.loads(out))


def test_prices_are_selected_by_a_part_of_their_name(simulator):
    code, out, _ = simulator("prices", "h100", "--json")
    names = [row["id"] for row in json.loads(out)]
    assert (code, names) == (0, ["h100-on-demand-2026", "h100-1-year-2026"])
    code, _, err = simulator("prices", "abacus")
    assert (code, "expected a price" in err) == (4, True)


def test_sensitivity_ranks_the_assumptions_of_a_published_run(simulator):
    code, out, _ = simulator("sensitivity", "gpt3-175b", "--basis", "published", "--json")
    data = json.loads(out)
    assert code == 0
    assert [bar["name"] for bar in data["bars"]] == ["watts per chip", "elapsed time"]
    assert data["together"]["low"] < data["quantity"]["value"] < data["together"]["high"]
    code, out, _ = simulator("sensitivity", "gpt3-175b", "--basis", "published", "--of", "energy")
    assert (code, "MWh" in out) == (0, True)
    code, _, err = simulator("sensitivity", "gpt3-175b", "--basis", "published", "--of", "joule")
    assert (code, "expected --of" in err) == (2, True)


def test_explain_ends_in_the_sources_of_every_leaf(simulator):
    code, out, _ = simulator("compare", "glam-64b-64e", "gpt3-175b", "--explain")
    assert code == 0
    assert "└─ elapsed time 51.2 days" in out
    assert "watts per chip 326 W (80 %: 318 to 334, measured)  [arXiv:2112.06905" in out
    data = compared(simulator, "glam-64b-64e", "gpt3-175b", "--explain")
    assert [tree["name"] for tree in data["scenarios"][0]["explain"]] == [
        "model FLOP",
        "CO2e, net",
    ]


@pytest.mark.parametrize(
    ("words", "column"),
    [
        ("chips h100 tpu-v4", "peak_bf16_flop_per_s"),
        ("regions", "location_g_per_kwh"),
        ("compare glam-64b-64e gpt3-175b", "energy_mwh_low"),
        ("predict glam-mini-16e", "energy_chip_j"),
    ],
)
def test_the_rows_of_an_answer_are_csv(simulator, words, column):
    code, out, err = simulator(*words.split(), "--csv")
    assert (code, err) == (0, "")
    header, *rows = csv.reader(io.StringIO(out))
    assert rows
    assert {len(row) for row in rows} == {len(header)}
    assert all(float(row[header.index(column)]) >= 0 for row in rows if row[header.index(column)])
    assert any(row[header.index(column)] for row in rows)

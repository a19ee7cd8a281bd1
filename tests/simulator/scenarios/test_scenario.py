"""Scenario files: strict keys, checked values, presets that hold."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError
from energy.quantity import Origin
from simulator.scenarios.request import scenario_of
from simulator.scenarios.scenario import Scenario, check, load, preset_text, presets, starting_text

WHOLE = """
name = "whole"
[model]
preset = "glam-8b-64e"
[run]
tokens = 3e11
batch_tokens = 1_000_000
[hardware]
chip = "tpu-v4"
count = 256
"""


def tables(text=WHOLE):
    return tomllib.loads(text)


def refused(table):
    with pytest.raises(InputError) as caught:
        check(table, "my.toml")
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_a_valid_scenario_whose_model_is_in_the_catalog(name):
    scenario = load(name)
    assert scenario.name == name
    assert scenario.model.preset is not None
    assert scenario.model.shape == {}, "shapes have one copy, the catalog's"
    assert scenario.model.resolve().n_layers >= 1


@pytest.mark.parametrize("name", presets())
def test_every_number_of_a_preset_that_is_called_published_has_its_source(name):
    published = load(name).published
    if published is not None:
        for field in ("elapsed_h", "chip_power_w", "params_active", "energy_mwh", "co2_t"):
            assert "arXiv:" in getattr(published, field).source


@pytest.mark.parametrize("preset", [None, *presets()])
def test_what_init_writes_is_valid_as_it_stands(tmp_path, preset):
    path = tmp_path / "new.toml"
    path.write_text(starting_text(preset))
    load(str(path))


def test_the_template_comments_every_table_that_a_scenario_has():
    text = starting_text()
    for name in Scenario.model_fields:
        if name not in ("name", "description", "published"):
            assert f"[{name}]" in text


@pytest.mark.parametrize(
    ("section", "key", "meant"),
    [
        ("run", "token", "tokens"),
        ("run", "batch_token", "batch_tokens"),
        ("hardware", "chips", "chip"),
        ("model", "presets", "preset"),
        ("site", "zones", "zone"),
        (None, "hardwares", "hardware"),
    ],
)
def test_an_unknown_key_is_refused_and_the_nearest_one_named(section, key, meant):
    table = tables()
    (table if section is None else table.setdefault(section, {}))[key] = 1
    message = refused(table)
    assert f"did you mean {meant}" in message
    assert key in message
    assert "my.toml" in message


def test_an_unknown_field_of_a_shape_is_refused_and_the_nearest_one_named():
    table = tables()
    table["model"]["shape"] = {"n_expert": 8}
    assert "did you mean n_experts" in refused(table)


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("run", "tokens", -1, "expected run.tokens above 0 in my.toml; got -1"),
        ("run", "tokens", "many", "expected run.tokens as a number in my.toml; got 'many'"),
        ("run", "steps", 10, "expected run with either tokens or steps in my.toml; got both"),
        ("run", "goodput", 1.2, "expected run.goodput above 0 and at most 1 in my.toml; got 1.2"),
        ("run", "goodput", True, "expected run.goodput as a number, or a table with value, low"),
        ("hardware", "count", 0, "expected hardware.count of 1 or more in my.toml; got 0"),
        ("hardware", "count", 1.5, "expected hardware.count as a whole number in my.toml; got 1.5"),
        ("hardware", "precision", "fp3", "expected hardware.precision as 'bf16', 'fp16'"),
        ("hardware", "machine", "m.toml", "expected hardware with either a chip or a machine"),
        ("site", "pue", 0.9, "expected site.pue of 1 or more in my.toml; got 0.9"),
        ("site", "pue", "low", "expected site.pue as a number, or a table with value, low"),
        ("site", "pue", {"value": 1.1, "lo": 1.0}, "expected a known key in my.toml; got"),
        ("site", "pue", {"value": 1.1, "low": 1.2}, "expected a valid site.pue in my.toml; got"),
        ("site", "chip_price", "no", "or a row of simulator prices in USD/h in my.toml; got no;"),
        ("site", "chip_price", "h100-1-year-2026", "expected site.chip_price of the chip tpu-v4"),
        (None, "run", 1, "expected run as a table in my.toml; got 1"),
        (None, "name", "", "expected name as text that is not empty in my.toml; got ''"),
    ],
)
def test_a_bad_value_is_refused_with_what_was_expected(section, key, value, said):
    table = tables()
    (table if section is None else table.setdefault(section, {}))[key] = value
    assert said in refused(table)


def test_a_bad_override_is_not_looked_for_in_the_file():
    with pytest.raises(InputError, match=r"^expected run.tokens above 0; got -1$"):
        load("glam-mini", {"run.tokens": -1})
    with pytest.raises(InputError, match=r"got name.x; name is a value"):
        load("glam-mini", {"name.x": 1})


@pytest.mark.parametrize("section", ["model", "run", "hardware"])
def test_a_section_that_is_not_there_is_named(section):
    table = tables()
    del table[section]
    assert section in refused(table)


def test_a_number_alone_is_an_assumption_and_a_table_keeps_its_band_and_origin():
    table = tables()
    table["site"] = {"pue": 1.2}
    assert check(table, "x").site.pue.origin is Origin.ASSUMED
    table["site"] = {
        "pue": {"value": 1.2, "low": 1.1, "high": 1.3, "origin": "measured", "source": "meter"}
    }
    pue = check(table, "x").site.pue
    assert (pue.low, pue.high, pue.origin, pue.source) == (1.1, 1.3, Origin.MEASURED, "meter")


@given(
    tokens=st.floats(1, 1e15),
    count=st.integers(1, 10**6),
    pue=st.floats(1, 3),
    width=st.floats(0, 0.1),
    goodput=st.floats(0.01, 1),
    shape=st.dictionaries(st.sampled_from(["n_experts", "seq_len"]), st.integers(8, 4096)),
)
def test_a_scenario_survives_the_way_through_json(tokens, count, pue, width, goodput, shape):
    table = tables()
    table["run"] |= {"tokens": tokens, "goodput": goodput}
    table["hardware"]["count"] = count
    table["model"]["shape"] = shape
    table["site"] = {"pue": {"value": pue, "low": pue * (1 - width), "high": pue * (1 + width)}}
    scenario = check(table, "x")
    assert Scenario.model_validate(scenario.model_dump(mode="json")) == scenario
    assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario


def test_overrides_lie_over_the_file_and_none_takes_a_key_away():
    scenario = load("glam-64b-64e", {"run.tokens": None, "run.steps": 7, "site.zone": "FR"})
    assert (scenario.run.steps, scenario.run.tokens, scenario.site.zone) == (7, None, "FR")


def test_a_machine_file_is_found_from_the_place_of_the_scenario_file(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(WHOLE.replace('chip = "tpu-v4"', 'machine = "m.toml"'))
    assert load(str(path)).hardware.machine == str(tmp_path / "m.toml")


def test_an_unknown_preset_and_a_missing_or_broken_file_are_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="did you mean gpt3-175b"):
        load("gpt3-175")
    with pytest.raises(InputError, match="expected a scenario file at"):
        load(str(tmp_path / "absent.toml"))
    broken = tmp_path / "broken.toml"
    broken.write_text("[run\n")
    with pytest.raises(InputError, match="text that is not TOML"):
        load(str(broken))


def test_presets_hold_no_second_copy_of_a_shape():
    for name in presets():
        assert "n_layers" not in preset_text(name)


def test_the_option_of_a_zone_replaces_all_of_the_grid_that_a_scenario_has():
    own = {"site.region": None, "site.grid_location": 400.0, "site.grid_market": 10.0}
    scenario = load("glam-64b-64e", {"site.zone": "USA", **own})
    moved = scenario_of(scenario, zone="FRA")
    assert (moved.site.grid_location, moved.site.grid_market) == (None, None)
    stated = scenario_of(scenario, zone="FRA", overrides={"site.grid_market": 12.0})
    assert stated.site.grid_market is not None
    assert stated.site.grid_market.value == 12.0
    contracts = scenario_of("glam-64b-64e", zone="FRA").site.resolve()
    assert contracts.pue.value == 1.11
    assert contracts.grid_market.value is None

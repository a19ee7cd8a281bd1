"""Scenario files: strict keys, checked values, presets that hold."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError
from energy.quantity import Origin
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
        ("run", "tokens", -1, "greater than 0"),
        ("run", "tokens", "many", "valid number"),
        ("run", "steps", 10, "either tokens or steps"),
        ("run", "goodput", 1.2, "at most 1"),
        ("hardware", "count", 0, "greater than or equal to 1"),
        ("site", "pue", 0.9, "more than"),
        ("site", "pue", "low", "a number, or a table"),
        ("site", "pue", {"value": 1.1, "lo": 1.0}, "known key"),
        ("site", "pue", {"value": 1.1, "low": 1.2}, "does not contain"),
    ],
)
def test_a_bad_value_is_refused_with_what_was_expected(section, key, value, said):
    table = tables()
    table.setdefault(section, {})[key] = value
    message = refused(table)
    assert said in message
    assert key in message or section in message


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
    with pytest.raises(InputError, match="expected TOML in"):
        load(str(broken))


def test_presets_hold_no_second_copy_of_a_shape():
    for name in presets():
        assert "n_layers" not in preset_text(name)

"""What a page chooses is a scenario, a link and a file, and all three are the same run."""

import json
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError
from energy.facts import catalog
from simulator.questions.predict.answer import predict
from simulator.questions.what_if import markup, menus
from simulator.questions.what_if.answer import figures, what_if
from simulator.scenarios.scenario import load
from simulator.scenarios.variants import dense_twin
from simulator.scenarios.what_if import FILE, WhatIf

MIXTRAL = WhatIf(
    model="mixtral-8x7b", chip="h100", chips=64, place="FRA", tokens=1e11, batch=4e6, price="2.5"
)

CONFIG = {
    "model_type": "mixtral",
    "hidden_size": 1024,
    "intermediate_size": 3584,
    "num_hidden_layers": 12,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "num_local_experts": 16,
    "num_experts_per_tok": 2,
    "vocab_size": 32000,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}

CHOICES = st.builds(
    WhatIf,
    model=st.sampled_from(["mixtral-8x7b", "llama3-8b", "a name = of & its own?"]),
    shape=st.sampled_from(["", '{"n_layers": 2}']),
    experts=st.none() | st.integers(1, 1000),
    chip=st.sampled_from(["h100", "tpu-v4"]),
    chips=st.integers(1, 10**6),
    place=st.sampled_from(["unknown", "FRA"]),
    tokens=st.floats(1e6, 1e15),
    batch=st.floats(1e3, 1e9),
    pue=st.none() | st.floats(1, 2),
    price=st.sampled_from(["", "2.50"]),
    measured=st.sampled_from(["", "4,150 tokens/s", "41% MFU"]),
)


@given(CHOICES)
def test_a_link_leads_back_to_what_was_chosen(chosen):
    words = dict(parse_qsl(chosen.link().removeprefix("?")))
    assert WhatIf.of(words) == chosen


def test_nothing_chosen_is_a_link_without_words():
    assert WhatIf.of({}) == WhatIf()
    assert WhatIf().link() == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"modell": "x"}, "expected a known choice in the link; got modell; did you mean model"),
        ({"chips": "many"}, "expected chips as a number; got many"),
        ({"chips": "1.5"}, "expected chips as a whole number; got 1.5"),
        ({"chips": "inf"}, "expected chips as a whole number; got inf"),
        ({"tokens": "-1"}, "expected run.tokens above 0; got -1.0"),
        ({"tokens": "nan"}, "expected run.tokens"),
        ({"model": "x" * 201}, "expected model of at most 200 characters; got 201"),
        ({"model": "../config.json"}, "expected a model of the catalog; got ../config.json"),
        ({"chip": "my.toml"}, "expected a chip of the catalog; got my.toml"),
        ({"price": "my.toml:x"}, "expected a price of the catalog; got my.toml:x"),
        ({"price": "cheap"}, "expected a price of the catalog; got cheap"),
        ({"place": "/etc/x"}, "expected a place of the catalog; got /etc/x"),
        ({"model": "mixtral-8x77b"}, "did you mean mixtral-8x7b"),
        ({"shape": "{"}, "expected the shape of a model as JSON"),
        ({"shape": "[" * 5000}, "expected the shape of a model as JSON"),
        ({"shape": '{"n_layer": 2}'}, "did you mean n_layers"),
        ({"experts": "1", "model": "mixtral-8x7b"}, "expected top_k to be at most n_experts"),
    ],
)
def test_a_bad_link_is_refused_in_one_line(words, message):
    with pytest.raises(InputError) as refused:
        WhatIf.of(words).scenario().model.resolve()
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def record_of(scenario):
    return predict(scenario).record


def test_the_file_of_a_choice_predicts_the_same_as_the_options_of_the_command(tmp_path):
    path = tmp_path / FILE
    path.write_text(MIXTRAL.toml())
    values = {"run.batch_tokens": 4e6, "site.zone": "FRA", "site.chip_price": 2.5}
    named = predict("mixtral-8x7b", chip="h100", chips=64, tokens=1e11, overrides=values).record
    assert figures(record_of(load(str(path)))) == figures(named)


def test_a_price_by_name_is_of_chips_or_of_electricity():
    site = replace(MIXTRAL, price="us-industrial-2023").scenario().site
    assert (site.electricity_price is None, site.chip_price) == (False, None)
    site = replace(MIXTRAL, price="h100-on-demand-2026").scenario().site
    assert (site.electricity_price, site.chip_price is None) == (None, False)


def test_an_own_configuration_travels_in_link_and_file(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(CONFIG))
    chosen = replace(MIXTRAL, chips=8).with_configuration(path)
    assert chosen.model == "mine"
    again = WhatIf.of(dict(parse_qsl(chosen.link().removeprefix("?"))))
    (tmp_path / FILE).write_text(again.toml())
    path.unlink()
    values = {"run.batch_tokens": 4e6, "site.zone": "FRA", "site.chip_price": 2.5}
    path.write_text(json.dumps(CONFIG))
    named = predict(path, chip="h100", chips=8, tokens=1e11, overrides=values).record
    assert figures(record_of(load(str(tmp_path / FILE)))) == figures(named)


def test_an_odd_configuration_is_refused_as_the_command_refuses_it(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG | {"num_local_experts": "many"}))
    with pytest.raises(InputError) as page:
        MIXTRAL.with_configuration(path)
    with pytest.raises(InputError) as command:
        predict(path, chip="h100", chips=8, tokens=1e11, batch=512)
    assert str(page.value) == str(command.value)


def test_the_twin_of_a_released_model_is_the_one_of_the_catalog():
    twin = dense_twin(MIXTRAL.scenario())
    assert twin.model.resolve() == catalog.model("mixtral-8x7b-dense").shape
    assert dense_twin(twin) is None


def test_a_measured_rate_of_the_run_scales_its_twin_as_another_run_of_the_cluster(tmp_path):
    plain, measured = (
        what_if(replace(MIXTRAL, measured=words), tmp_path) for words in ("", "45% MFU")
    )
    assert measured.own.record.metrics["mfu"].value == pytest.approx(0.45, rel=1e-3)
    before, after = (each.twin.record.elapsed_s.value for each in (plain, measured))
    ratio = measured.own.record.elapsed_s.value / plain.own.record.elapsed_s.value
    assert (after / before > 1) == (ratio > 1)
    assert abs(after / before - 1) < abs(ratio - 1)


def test_the_answer_shows_every_figure_of_both_as_the_command_prints_it(tmp_path):
    answered = what_if(MIXTRAL, tmp_path)
    page = markup.answer(answered)
    for each in answered.both:
        for quantity in figures(each.record).values():
            assert f"<b>{quantity.human()}</b>" in page
            assert quantity.band() in page
    dense = what_if(replace(MIXTRAL, model="llama3-8b"), tmp_path)
    assert dense.twin is None
    assert "is dense" in dense.headline


def test_what_nobody_knows_is_said_and_drawn_nowhere(tmp_path):
    answered = what_if(replace(MIXTRAL, chip="tpu-v5p", price=""), tmp_path)
    assert "missing" in markup.answer(answered)
    assert "<svg" not in markup.picture(answered, [])


def test_letters_of_names_are_no_markup(tmp_path):
    shape = json.dumps(catalog.model("llama3-8b").shape.as_dict())
    answered = what_if(replace(MIXTRAL, model="<b>&", shape=shape), tmp_path)
    assert "<b>&" not in markup.answer(answered) + markup.picture(answered, [(False, 64, 1, 2)])
    assert "<i>" not in markup.refusal("<i>")


def test_menus_offer_what_is_chosen_and_nothing_that_cannot_be_predicted():
    odd = replace(MIXTRAL, chips=100, tokens=14.8e12, batch=7.5e5, experts=6, pue=1.234)
    assert 100 in menus.counts(odd)
    assert 14_800 in menus.tokens(odd)
    assert 0.75 in menus.batches(odd)
    assert {6, 8, 32} <= set(menus.experts(odd))
    assert 1.234 in menus.pues(odd)
    assert menus.experts(replace(MIXTRAL, model="llama3-8b")) == []
    assert "glam-64b-64e" in menus.models().values()
    assert "mixtral-8x7b-dense" not in menus.models().values()
    assert not {"tpu-v4i", "epyc-7543", "dram-ddr"} & set(menus.chips().values())
    assert {"FRA", "google-glam", "unknown"} <= set(menus.places().values())

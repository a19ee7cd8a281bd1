"""One resolver: every verb reads a model in every form, and says how what it lacks is named."""

import json

import pytest

from energy.errors import InputError
from simulator.questions.plan.question import question
from simulator.runs.models import of_models
from simulator.runs.sides import read
from simulator.scenarios.request import model_of, scenario_of
from simulator.scenarios.writer import write

CONFIG = {
    "model_type": "llama",
    "hidden_size": 512,
    "intermediate_size": 1536,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "vocab_size": 32000,
}
OF_THE_RUN = {
    "run.tokens": "1B",
    "run.batch_sequences": 64,
    "hardware.chip": "H100",
    "hardware.count": 8,
}
SET = [word for key, value in OF_THE_RUN.items() for word in ("--set", f"{key}={value}")]
FEW = ["--points", "2", "--equal", "tokens"]
VERBS = {
    "predict": ["M"],
    "compare": ["M", "M"],
    "sensitivity": ["M"],
    "failures": ["M"],
    "lifetime": ["M", "M", "--tokens-per-day", "1M"],
    "pareto": ["M"],
    "feasible": ["M", "--max-mw", "100"],
    "inverse": ["M", "--mwh", "1"],
    "crossover": ["glam-0.1b-64e", "M", "--over", "run.tokens", "--from", "1B", "--to", "2B", *FEW],
    "regions": ["FRA", "--of", "M"],
    "power": ["M"],
    "plan": ["M"],
}
"""Each verb that takes a run, with its model as M."""


@pytest.fixture
def forms(tmp_path):
    """A small model in every form in which one is named."""
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "small.json").write_text(json.dumps(CONFIG))
    scenario = scenario_of("glam-0.1b", overrides=OF_THE_RUN)
    write(scenario, tmp_path / "run.toml")
    files = [folder, folder / "config.json", tmp_path / "small.json", tmp_path / "run.toml"]
    return ["glam-0.1b", "GLaM_0.1B", "qwen3-4b", "Qwen3 4B", *map(str, files)]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_a_configuration_and_a_run(simulator, forms, verb):
    for form in (forms[4], forms[-1]):
        words = [form if word == "M" else word for word in VERBS[verb]]
        code, out, err = simulator(verb, *words, *SET, "--json")
        assert code == 0, err
        json.loads(out)


def test_every_reader_of_targets_takes_every_form(forms):
    for form in forms:
        scenario = scenario_of(form, overrides=OF_THE_RUN)
        assert read([form], OF_THE_RUN) == [scenario]
        assert of_models([form], OF_THE_RUN) == [scenario]
        assert question(form, overrides=OF_THE_RUN).scenario == scenario
        assert model_of(form)[1].resolve().n_layers == scenario.model.resolve().n_layers
        assert scenario.hardware.count == 8
        assert scenario.run.tokens == 1e9


def test_what_a_model_alone_lacks_is_named_by_options_that_every_verb_has(forms):
    with pytest.raises(InputError) as missing:
        scenario_of("mixtral-8x7b", overrides={"run.batch_tokens": 1e6})
    assert missing.value.fix == (
        "for example --set run.tokens=300e9 --set hardware.chip=h100 --set hardware.count=256"
    )


def test_another_chip_leaves_the_software_and_price_of_the_scenarios_own_behind():
    own = scenario_of("glam-64b-64e", overrides={"site.chip_price": 3.0})
    assert own.hardware.software == "xla-2020"
    there = scenario_of(own, chip="h100")
    assert (there.hardware.software, there.site.chip_price) == (None, None)
    kept = scenario_of(own, chip="h100", overrides={"hardware.software": "megatron"})
    assert kept.hardware.software == "megatron"
    assert scenario_of(own, chip="TPU v4").hardware.software == "xla-2020"
    assert question("glam-64b-64e", chip="h100").scenario.hardware.software is None


def test_a_chip_of_ones_own_takes_no_price_of_another_chip(simulator, tmp_path):
    simulator("chips", "init", "mine.toml")
    head = 'currency = "USD"\ndate = "2026-11"\nsource = "ours"\n'
    row = 'term = "on demand"\nper_h = 2.5\n'
    (tmp_path / "other.toml").write_text(f"{head}[chips.h100]\n{row}")
    (tmp_path / "own.toml").write_text(f'{head}[chips.mine]\nchip = "mine.toml"\n{row}')
    run = {**OF_THE_RUN, "hardware.chip": "mine.toml"}
    with pytest.raises(InputError, match=r"price of the chip mine\.toml.*--chip-price"):
        scenario_of("glam-0.1b", overrides={**run, "site.chip_price": "other.toml"})
    priced = scenario_of("glam-0.1b", overrides={**run, "site.chip_price": "own.toml"})
    assert priced.site.chip_price.value == 2.5

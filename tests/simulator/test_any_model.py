"""Any model: configurations in the verbs, hybrids in a table, plans of models of every kind."""

import json
from dataclasses import replace

import numpy as np
import pytest

from energy.errors import InputError
from energy.facts import catalog
from energy.shape import LAYER_COUNTS, dense_twin, parameters, total
from glam.config import GlamConfig
from simulator.physics.compute import layers
from simulator.physics.memory import memory
from simulator.physics.plan import Plan
from simulator.published.throughput import parse
from simulator.runs.setup import Setup
from simulator.scenarios.request import scenario_of
from simulator.scenarios.scenario import load
from simulator.scenarios.variants import scaled
from simulator.scenarios.writer import write

RUN = ("--tokens", "1e9", "--batch", "64", "--chip", "h100", "--chips", "8")
LLAMA = {
    "model_type": "llama",
    "hidden_size": 1024,
    "intermediate_size": 2816,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
    "tie_word_embeddings": False,
}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "my-model"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(LLAMA))
    return path


def test_a_configuration_is_counted_with_the_names_that_scripts_rely_on(simulator, folder):
    code, out, _ = simulator("models", folder / "config.json", "--json")
    counted = json.loads(out)
    assert code == 0
    assert counted["refused"] == []
    assert counted["active_convention"] == "without-input-embedding"
    assert counted["params_total"] - counted["params_active"] == 32000 * 1024
    assert sum(counted["parts"].values()) == counted["params_total"]
    code, out, _ = simulator("models", folder)
    assert code == 0
    assert f"{counted['params_total']:,.0f}" in out
    assert "[model.shape]" not in out or "n_prediction_layers" in out


def test_a_configuration_that_is_refused_names_its_fields(simulator, folder):
    (folder / "config.json").write_text(json.dumps({**LLAMA, "memory_slots": 3}))
    for verb in (("models",), ("predict", *RUN, "--model")):
        code, out, err = simulator(*verb, folder)
        assert (code, out) == (2, "")
        assert "memory_slots" in err
    code, out, _ = simulator("models", folder, "--json")
    assert code == 2
    assert json.loads(out)["refused"] == ["memory_slots"]
    assert json.loads(out)["params_total"] is None


def test_a_configuration_is_predicted_as_its_shape_is(simulator, folder, tmp_path):
    code, out, err = simulator("predict", "--model", folder, *RUN, "--seq-len", 2048, "--json")
    assert code == 0, err
    record = json.loads(out)
    assert record["name"] == "my-model"
    scenario = scenario_of(folder, tokens=1e9, batch=64, chip="h100", chips=8, seq_len=2048)
    shape = scenario.model.resolve()
    assert record["params_total"]["value"] == total(parameters(shape))
    own = scenario.model_copy(
        update={"model": type(scenario.model)(shape={**shape.as_dict(), "others": []})}
    )
    assert Setup.of(own).shape == Setup.of(scenario).shape
    write(scenario, tmp_path / "run.toml")
    assert load(str(tmp_path / "run.toml")).model.resolve() == shape


def test_a_scenario_names_its_configuration_relative_to_itself(folder):
    scenario = folder / "run.toml"
    scenario.write_text(
        'name = "run"\n[model]\nconfig = "config.json"\nparams_total = 1.5e8\n'
        "[run]\ntokens = 1e9\nbatch_sequences = 8\n[hardware]\nchip = 'h100'\n[site]\n"
    )
    assert load(str(scenario)).model.resolve().n_layers == 8
    scenario.write_text(scenario.read_text().replace("1.5e8", "2.5e8"))
    with pytest.raises(InputError, match=r"model\.params_total"):
        load(str(scenario)).model.resolve()


def test_the_trainer_names_the_field_that_it_does_not_build(folder):
    with pytest.raises(InputError, match="n_kv_heads"):
        GlamConfig.of(str(folder))


HYBRIDS = ["Nemotron-H-56B", "Qwen3-Next-80B-A3B", "Jamba 1.5", "300M gdn hybrid"]


@pytest.mark.parametrize("name", HYBRIDS)
def test_a_hybrid_in_a_table_is_never_taken_for_full_attention(name):
    table = parse([{**ROW, "model_name": name}])
    assert table.rows == ()
    assert "recurrent layers" in table.skipped["row 1"]


ROW = {
    "model_name": "GPT",
    "layers": "24",
    "d_model": "2048",
    "d_ff": "8192",
    "heads": "16",
    "vocab": "128256",
    "seq_len": "2048",
    "chip": "h100",
    "n_chips": "8",
    "tokens_per_s_per_chip": "10000",
}


@pytest.mark.parametrize(("stated", "tied"), [("1.47", True), ("1.73", False), ("", True)])
def test_a_row_has_the_embeddings_that_its_stated_total_has(stated, tied):
    (row,) = parse([{**ROW, "params_total_b": stated}]).rows
    assert row.shape.tied_embedding is tied


def test_a_row_whose_stated_total_is_a_tenth_off_is_refused():
    assert "params_total_b" in parse([{**ROW, "params_total_b": "2.4"}]).skipped["row 1"]


@pytest.mark.parametrize(
    "name", ["qwen3-next-80b-a3b", "deepseek-v3.2", "minimax-m1", "nemotron-3-nano-30b-a3b"]
)
def test_a_plan_of_a_model_executes_its_flop(name):
    shape = catalog.model(name).shape
    plan = Plan(n_chips=8, ep=8, global_batch=8, micro_batch=1, zero=3)
    parts = layers(shape, plan)
    for part, expected in (("attention_projections", 6), ("recurrence", 6), ("experts", 6)):
        if part not in parts:
            continue
        done = sum(np.asarray(op.flop) * op.count for op in parts[part]) / shape.seq_len
        weights = parameters(shape)[{"attention_projections": "attention"}.get(part, part)]
        if part == "experts":
            weights = weights * shape.top_k / shape.n_experts
        # Biases, norms and convolutions are no matrix products.
        assert done == pytest.approx(expected * weights, rel=2e-3)


def test_kinds_of_layers_cost_what_their_shapes_do():
    usual = catalog.model("glam-8b-64e").shape
    half = {"n_layers": 16, "n_moe_layers": 8}
    both = replace(usual, others=(replace(usual, **half),))
    plan = Plan(n_chips=64, ep=64, global_batch=64, micro_batch=1)
    cost = [
        sum(
            np.asarray(op.flop) * op.count
            for operations in layers(shape, plan).values()
            for op in operations
        )
        for shape in (usual, both)
    ]
    assert cost[0] == pytest.approx(cost[1])


def test_a_recurrence_keeps_less_for_the_backward_pass_than_unfused_attention():
    hybrid = catalog.model("qwen3-next-80b-a3b").shape
    attention = replace(hybrid, n_recurrent_layers=0, recurrence="none")
    plan = Plan(n_chips=8, ep=8, global_batch=8, micro_batch=1)
    hardware = Setup.of(scenario_of("glam-64b-64e")).hardware
    kept = [float(memory(s, plan, hardware).bytes["activations"]) for s in (hybrid, attention)]
    assert kept[0] < kept[1]


def test_a_dense_twin_of_a_dense_model_is_itself():
    for name in ("llama3-8b", "gemma-3-27b", "gpt3-175b"):
        shape = catalog.model(name).shape
        assert dense_twin(shape) == shape


def test_multi_token_prediction_is_part_of_the_step():
    shape = catalog.model("deepseek-v3").shape
    parts = layers(replace(shape, n_prediction_layers=1), Plan())
    flop = sum(np.asarray(op.flop) * op.count for op in parts["prediction"])
    assert 0.01 < flop / sum(np.asarray(o.flop) * o.count for p in parts.values() for o in p) < 0.06


@pytest.mark.parametrize(
    "name", ["glam-64b-64e", "qwen3-next-80b-a3b", "jamba-1.5-mini", "minimax-m2", "gpt-oss-120b"]
)
def test_a_family_of_sizes_keeps_the_pattern_of_its_layers(name):
    shape = catalog.model(name).shape
    half, whole = scaled(shape, int(shape.n_layers) // 2), scaled(shape, int(shape.n_layers))
    assert whole == shape
    for count in LAYER_COUNTS:
        assert 2 * getattr(half, count) == getattr(shape, count)
    # Half the layers of half the width: an eighth of the weights, but for what does not scale.
    parts, halves = parameters(shape), parameters(half)
    assert halves["experts"] == pytest.approx(parts["experts"] / 8, rel=0.02)
    assert halves["attention"] == pytest.approx(parts["attention"] / 8, rel=0.02)


def test_a_model_with_several_kinds_of_layers_has_no_family_of_sizes():
    usual = catalog.model("glam-8b-64e").shape
    both = replace(usual, others=(replace(usual, n_layers=16, n_moe_layers=8),))
    with pytest.raises(InputError, match="2 kinds of layers"):
        scaled(both, 16)


def test_a_chip_of_ones_own_is_predicted_with_its_price(simulator, tmp_path):
    assert simulator("chips", "init", "mine.toml")[0] == 0
    code, _, err = simulator("chips", "init", "mine.toml")
    assert code == 2
    assert "mine.toml" in err
    file = tmp_path / "mine.toml"
    file.write_text(file.read_text().replace("# price_usd_per_h", "price_usd_per_h"))
    run = ("predict", "--model", "llama3-8b", "--chip", "mine.toml", "--chips", 64)
    code, out, err = simulator(*run, "--tokens", "1e10", "--batch", 512, "--json")
    assert code == 0, err
    record = json.loads(out)
    hours = record["chip_s"]["value"] / 3600
    assert record["cost_usd"]["value"] == pytest.approx(2.5 * hours)
    listed = json.loads(simulator("chips", "mine.toml", "--json")[1])
    assert listed[0]["peak_bf16_flop_per_s"] == 9.89e14

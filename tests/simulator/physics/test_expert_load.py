"""Load imbalance: from shares or a trainer's log to the busiest chip."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError
from simulator.physics.expert_load import ExpertLoad
from simulator.scenarios import scenario
from simulator.scenarios.expert_load import expert_load

SHARES = st.lists(st.floats(0.001, 1), min_size=8, max_size=8)


@given(SHARES)
def test_the_busiest_chip_has_at_least_the_mean_and_a_single_chip_has_exactly_it(shares):
    busiest = np.asarray(ExpertLoad.of(shares).busiest_over_mean(np.array([1, 2, 4, 8])))
    assert busiest[0] == pytest.approx(1)
    assert np.all(busiest >= 1 - 1e-12)
    assert np.all(np.diff(busiest) >= -1e-12)  # halves of a chip's experts are never more even
    assert busiest[-1] == pytest.approx(max(shares) / np.mean(shares))


@given(st.lists(SHARES, min_size=1, max_size=4))
def test_the_imbalance_of_many_layers_is_the_mean_of_theirs(layers):
    each = [ExpertLoad.of(layer).busiest_over_mean(4) for layer in layers]
    assert ExpertLoad.of(layers).busiest_over_mean(4) == pytest.approx(np.mean(each))


def test_equal_shares_are_no_imbalance():
    assert ExpertLoad.of([7] * 64).busiest_over_mean(np.array([1, 16, 64])) == pytest.approx(1)


def test_a_log_gives_every_layer_of_every_step_and_a_torn_line_is_skipped(tmp_path):
    log = tmp_path / "metrics.jsonl"
    steps = [{"step": 1, "expert_load": [[0.4, 0.1, 0.4, 0.1], [0.25] * 4]}, {"step": 2}]
    log.write_text("\n".join(json.dumps(step) for step in steps) + '\n{"step": 3, "expert_l')
    for path in (tmp_path, log):
        load = expert_load(str(path))
        assert load.table.shape == (2, 4)
        assert load.busiest_over_mean(2) == pytest.approx(1)
        assert load.busiest_over_mean(4) == pytest.approx((1.6 + 1) / 2)


@pytest.mark.parametrize("bad", [[], [0, 0], [1, -1], [1, float("nan")], [[1, 2], [1]], "nowhere"])
def test_an_invalid_loadis_refused(bad):
    with pytest.raises(InputError, match="expert_load"):
        expert_load(bad)


def test_degrees_that_do_not_divide_the_experts_are_refused():
    with pytest.raises(InputError, match="multiple of ep"):
        ExpertLoad.of([1, 2, 3]).busiest_over_mean(2)


def test_a_prediction_waits_for_the_busiest_chip(simulator, tmp_path):
    elapsed = {}
    for name, last in (("even", 1.0), ("skewed", 9.0)):
        (tmp_path / name).mkdir()
        line = json.dumps({"expert_load": [[1.0] * 63 + [last]]})
        (tmp_path / name / "metrics.jsonl").write_text(line)
        elapsed[name] = elapsed_s(simulator, f"plan.expert_load={tmp_path / name}")
    assert elapsed["even"] == pytest.approx(elapsed_s(simulator, "plan.imbalance=1"))
    assert elapsed["skewed"] == pytest.approx(elapsed_s(simulator, f"plan.imbalance={9 * 64 / 72}"))
    assert elapsed["skewed"] > 1.2 * elapsed["even"]


def elapsed_s(simulator, setting):
    """Predicted seconds of GLaM with one expert per chip."""
    settings = ("plan.ep=64", "plan.tp=4", "plan.micro_batch=2", "plan.recompute=full", setting)
    options = [word for text in settings for word in ("--set", text)]
    code, out, err = simulator("predict", "glam-64b-64e", *options, "--json")
    assert code == 0, err
    return json.loads(out)["elapsed_s"]["value"]


def test_imbalance_and_expert_loadtogether_are_refused(simulator):
    code, out, err = simulator(
        "predict", "glam-64b-64e", "--set", "plan.imbalance=1.2", "--set", "plan.expert_load=[1.0]"
    )
    assert (code, out) == (2, "")
    assert "both" in err


def test_the_loadof_another_model_is_refused(simulator):
    code, _, err = simulator("predict", "glam-64b-64e", "--set", "plan.expert_load=[1.0, 1.0]")
    assert code == 2
    assert "64 experts" in err


def test_a_log_named_in_a_scenario_file_is_relative_to_the_file(tmp_path):
    (tmp_path / "run").mkdir()
    text = (
        '[model]\npreset = "glam-64b-64e"\n[run]\ntokens = 1e9\nbatch_tokens = 1e6\n'
        '[hardware]\nchip = "tpu-v4"\n[plan]\nexpert_load = "run"\n'
    )
    (tmp_path / "s.toml").write_text(text)
    assert scenario.load(str(tmp_path / "s.toml")).plan["expert_load"] == str(tmp_path / "run")

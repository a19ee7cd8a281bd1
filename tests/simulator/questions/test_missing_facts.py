"""A missing fact refuses only what needs it; what is assumed or unmeasured is said."""

from __future__ import annotations

import json

import pytest

import simulator
from energy.errors import MissingDataError
from energy.facts import catalog
from energy.facts.prices import price

RUN = {"tokens": 1e11}
OPEN = {"run.batch_sequences": 256}
DARK = ("tpu-v5p", "tpu-v6e", "tpu-v7")


@pytest.mark.parametrize("chip", DARK)
def test_a_chip_without_watts_has_time_and_dollars_and_no_joules(chip):
    overrides = {"site.chip_price": 2.0}
    record = simulator.predict(
        "llama3-8b", chip=chip, chips=64, batch=256, overrides=overrides, **RUN
    ).record
    assert record.elapsed_s.value > 0
    assert record.cost_usd.value == pytest.approx(2.0 * record.chip_s.value / 3600)
    assert record.joules_at("facility").value is None
    assert record.co2_location_g.value is None
    assert "watts" in record.metrics["chip_power_w"].source


def test_runs_on_such_chips_are_compared_in_all_but_joules():
    answer = simulator.compare(
        "llama3-8b",
        "qwen3-8b",
        overrides={**OPEN, "hardware.chip": "tpu-v6e", "hardware.count": 64, "run.tokens": "1B"},
    )
    ratio = answer.ratios[0]
    assert ratio.model.value > 0
    assert (ratio.machine.value, ratio.energy.value) == (None, None)
    text = answer.text().replace("\n", " ")
    assert "The energies are not compared" in text
    assert "missing against" not in text
    simulator.compare(*[side.record for side in answer.sides])


def test_power_and_energy_of_such_a_chip_are_refused_with_the_reason():
    scenario = {"chip": "tpu-v5p", "chips": 64, "batch": 256, **RUN}
    with pytest.raises(MissingDataError, match="watts of tpu-v5p"):
        simulator.plan("llama3-8b", by="energy", **scenario)
    with pytest.raises(MissingDataError, match="watts of tpu-v5p"):
        simulator.power(simulator.predict("llama3-8b", **scenario).setup.scenario)


def test_what_drives_the_carbon_of_such_a_chip_is_refused_with_the_question_that_can_be_asked():
    overrides = {**OPEN, "hardware.chip": "tpu-v5p", "hardware.count": 64, "run.tokens": 1e11}
    with pytest.raises(MissingDataError, match=r"watts .* of tpu-v5p .*ask --of time"):
        simulator.sensitivity("llama3-8b", overrides=overrides)
    assert simulator.sensitivity("llama3-8b", of="time", overrides=overrides).bars


def test_a_front_of_such_chips_alone_is_of_time_and_dollars():
    front = simulator.pareto(
        "llama3-8b",
        chip="tpu-v5p",
        chips=[64, 128],
        price="tpu-v5p-list-2024",
        overrides=OPEN,
        **RUN,
    )
    assert front.objectives == ("weeks", "usd")
    mixed = simulator.pareto("llama3-8b", chip=["tpu-v5p", "h100"], chips=64, overrides=OPEN, **RUN)
    assert "mwh" in mixed.objectives
    assert "no watts" in mixed.left_out["llama3-8b on 64 tpu-v5p"]


def test_limits_that_need_no_watts_are_kept_to_without_them():
    scenario = {"chip": "tpu-v5p", "chips": 64, "start": "2027-01-01", "overrides": OPEN, **RUN}
    answer = simulator.feasible("llama3-8b", by="2027-03-01", **scenario)
    assert answer.keepers
    assert "missing" in answer.text()
    with pytest.raises(MissingDataError, match="watts"):
        simulator.feasible("llama3-8b", max_mw=1.0, **scenario)


def test_a_chip_on_which_nobody_measured_comes_last_and_is_marked():
    unmeasured = "mi300x"
    answer = simulator.feasible(
        "llama3-8b",
        chip=[unmeasured, "a100"],
        chips=64,
        max_chips=64,
        overrides=OPEN,
        **RUN,
    )
    rows = answer.as_json()["configurations"]
    assert [row["chip"] for row in rows] == ["a100-sxm4-80gb", unmeasured]
    assert rows[0]["days"].value > rows[1]["days"].value
    assert (rows[0]["measured_rows"] > 0, rows[1]["measured_rows"]) == (True, 0)
    assert any(f"dense models on {unmeasured}" in note for note in answer.notes)
    assert "measured rows" in answer.text()


def test_every_answer_ends_with_what_it_assumed_and_the_option_that_sets_it():
    open_run = simulator.predict("llama3-8b", chip="h100", chips=64, batch=256, **RUN)
    last = open_run.record.notes[-1]
    for key in ("run.goodput", "site.pue", "site.it_over_node", "site.zone", "hardware.framework"):
        assert f"({key}" in last
    named = {
        "run.goodput": 0.9,
        "site.pue": 1.2,
        "site.node_over_chip": 1.3,
        "site.it_over_node": 1.1,
        "site.zone": "FRA",
        "site.chip_price": 2.0,
        "hardware.framework": "megatron-bridge 26.08",
    }
    closed = simulator.predict(
        "llama3-8b", chip="h100", chips=64, batch=256, overrides=named, **RUN
    )
    assert not any(note.startswith("assumed, ") for note in closed.record.notes)
    plan = simulator.plan("llama3-8b", chip="h100", chips=8, batch=64, **RUN)
    assert plan.text().rstrip().splitlines()[-3:] != []
    assert plan.as_json()["assumed"].startswith("assumed, each set by --set KEY=VALUE: goodput")


def test_what_an_assumption_is_worth_is_what_its_ends_do():
    answer = simulator.predict("llama3-8b", chip="h100", chips=64, batch=256, **RUN)
    pue = answer.record.factors["pue"]
    high = f"{100 * (pue.high / pue.value - 1):+.0f}%"
    assert (
        f"(site.pue; energy {100 * (pue.low / pue.value - 1):+.0f}% to {high})"
        in (answer.record.notes[-1])
    )


def test_prices_of_chips_belong_to_chips_of_the_catalog():
    for name in ("tpu-v5p-list-2024", "h100-on-demand-2026"):
        assert catalog.chip(price(name).chip)


@pytest.mark.parametrize("words", ["15T", "15_000B", "1.5e13", "15,000 B"])
def test_tokens_are_read_as_the_field_writes_them(simulator, words):
    run = ("--model", "llama3-8b", "--chip", "h100", "--chips", 64, "--batch", 256)
    code, out, _ = simulator("predict", *run, "--tokens", words, "--json")
    assert code == 0
    assert json.loads(out)["tokens"]["value"] == 15e12
    code, out, _ = simulator("predict", "glam-8b-64e", "--set", f"run.tokens={words}", "--json")
    assert (code, json.loads(out)["tokens"]["value"]) == (0, 15e12)


def test_words_that_are_no_tokens_are_refused(simulator):
    code, _, err = simulator("predict", "glam-8b-64e", "--set", "run.tokens=many")
    assert (code, "such as 15T" in err) == (2, True)


def test_a_chip_without_a_price_takes_one_and_the_refusal_says_so(simulator):
    run = ("llama3-8b", "--chip", "mi300x", "--chips", 64, "--tokens", "1T")
    code, _, err = simulator("plan", *run, "--by", "money")
    assert (code, "--chip-price" in err) == (4, True)
    assert simulator("plan", *run, "--by", "money", "--chip-price", 2.5)[0] == 0
    priced = simulator_of(chip_price=2.5)
    assert priced.quantities["usd"].value == pytest.approx(
        2.5 * priced.spend.elapsed_s.value / 3600 * 64
    )


def simulator_of(**price):
    front = simulator.pareto("llama3-8b", chip="mi300x", chips=64, overrides=OPEN, **RUN, **price)
    return front.choices[0]


def test_one_configuration_has_one_speed_under_the_names_of_two_unknown_frameworks_of_a_year():
    times = [
        simulator.predict(
            "llama3-8b",
            chip="a100",
            chips=64,
            batch=256,
            overrides={"hardware.framework": framework},
            **RUN,
        )
        .record.metrics["step_time_s"]
        .value
        for framework in ("DeepSpeed 2025", "PyTorch FSDP", "PyTorch FSDP 2025")
    ]
    assert max(times) / min(times) < 1.15


def test_newcomers_are_fitted_alone(simulator):
    code, _, err = simulator("calibrate", "--anew", "--newcomers", "--out", "c.json")
    assert (code, "--newcomers alone" in err) == (2, True)


def test_serving_ends_with_what_it_assumed_of_its_site_and_the_option_that_sets_each(simulator):
    code, out, _ = simulator("serve", "llama3-8b")
    assert code == 0
    assumed = " ".join(out.split())[-300:]
    for option in ("--pue", "--reserve", "--zone", "--chip-price"):
        assert f"({option}" in assumed
    named = ["--pue", 1.1, "--reserve", 1.2, "--zone", "FRA", "--chip-price", 2]
    code, out, _ = simulator("serve", "llama3-8b", *named, "--json")
    assert code == 0
    assert "assumed" not in json.loads(out)
    code, out, err = simulator(
        "lifetime", "glam-8b", "glam-8b", "--tokens-per-day", "100M", "--reserve", 1.2
    )
    assert code == 0, err
    assert "run.goodput" in out
    assert "served: assumed, each set by its option: PUE" in out

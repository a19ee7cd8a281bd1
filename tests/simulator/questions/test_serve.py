"""`simulator serve`, `lifetime`, `compare --serving` and `validate --serving`, as commands."""

import json
import re

import pytest

import simulator
from energy.errors import InfeasibleError, InputError
from energy.quantity import Boundary, Origin
from simulator.published.shipped import shipped
from simulator.questions.compare.answer import compare
from simulator.questions.serve.batches import as_rows, over_batches, powers
from simulator.questions.serve.plans import best_plan
from simulator.questions.validate.serving import validate_serving
from simulator.serving.account import published_prompt
from simulator.serving.request import Request

RELIED_ON = (
    "j_per_token",
    "j_per_request",
    "ttft_s",
    "itl_s",
    "tokens_per_s",
    "kv_bytes",
    "largest_batch",
)


def run(command, *arguments):
    """Exit code and data of a verb with --json."""
    code, out, err = command(*arguments, "--json")
    return code, json.loads(out) if out else None, err


def test_the_names_that_scripts_rely_on_are_quantities(simulator):
    code, data, _ = run(simulator, "serve", "llama3-8b", "--chip", "h100", "--batch", "32")
    assert code == 0
    assert data["feasible"]
    for name in RELIED_ON:
        assert {"value", "unit", "low", "high", "origin", "source"} <= set(data[name])
    assert data["j_per_request"]["value"] == pytest.approx(512 * data["j_per_token"]["value"])
    low, high = data["j_per_token"]["low"], data["j_per_token"]["high"]
    assert low < data["j_per_token"]["value"] < high


def test_prefill_and_decode_are_a_request_together(simulator):
    _, data, _ = run(simulator, "serve", "llama3-8b", "--isl", "2000", "--osl", "200")
    parts = data["prefill_j_per_request"]["value"] + 200 * data["decode_j_per_token"]["value"]
    assert parts == pytest.approx(data["j_per_request"]["value"])


def test_the_ladder_climbs_to_the_facility_and_its_shares_are_one(simulator):
    _, data, _ = run(simulator, "serve", "llama3-8b", "--zone", "FRA", "--chip-price", "3")
    joules = [rung["j_per_token"]["value"] for rung in data["ladder"]]
    assert joules == sorted(joules)
    assert sum(rung["share"] for rung in data["ladder"]) == pytest.approx(1)
    kwh = data["facility_j_per_token"]["value"] / 3.6e6
    grams = data["co2_g_per_million"]["value"] / 1e6
    assert 10 < grams / kwh < 100
    rent = 3 / 3600 / data["tokens_per_s"]["value"] * 1e6
    assert data["cost_usd_per_million"]["value"] == pytest.approx(rent)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("llama3-70b", "--chips", "4", "--batch", "5000"), "does not fit"),
        (("llama3-70b", "--chips", "3"), "does not divide 64 heads"),
        (("llama3-8b", "--chip", "tpu-v5e", "--chips", "4"), "design power"),
    ],
)
def test_what_cannot_be_is_an_answer_with_the_reason_and_exit_3(simulator, arguments, words):
    code, data, err = run(simulator, "serve", *arguments)
    assert code == 3
    assert words in data["reason"]
    assert "expected" in err
    assert data["ttft_s"]["value"] > 0


def test_a_chip_without_watts_lacks_its_joules_and_nothing_else(simulator):
    _, data, _ = run(simulator, "serve", "llama3-8b", "--chip", "tpu-v5e", "--chips", "4")
    missing = {name for name in RELIED_ON if data[name]["value"] is None}
    assert missing == {"j_per_token", "j_per_request"}
    assert data["feasible"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-model",),
        ("llama3-8b", "--chips", "0"),
        ("llama3-8b", "--batch", "-1"),
        ("llama3-8b", "--precision", "fp3"),
        ("llama3-8b", "--kv-precision", "fp4"),
        ("llama3-8b", "--max-itl-ms", "20"),
        ("llama3-8b", "--sweep", "--plan"),
        ("llama3-8b", "--reserve", "0.5"),
        ("gpt-oss-20b", "--load", "absent"),
        ("llama3-8b", "--batch", "1e30"),
        ("llama3-8b", "--osl", "0.5"),
        ("llama3-8b", "--load", "uniform"),
        ("llama3-8b", "--acceptance", "0.8"),
        ("llama3-8b", "--sweep", "--zone", "FRA"),
        ("llama3-8b", "--plan", "--chip-price", "2"),
        ("llama3-8b", "--sweep", "--explain"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(simulator, arguments):
    code, out, err = simulator("serve", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(("error: expected", "Usage", "error:"))
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("llama3-70b",),
        ("llama3-70b", "--sweep"),
        ("llama3-70b", "--plan"),
        ("llama3-70b", "--chips", "3"),
        ("gpt3-175b", "--chips", "8", "--batch", "256"),
        ("glam-64b-64e", "--chip", "b200", "--chips", "8", "--plan"),
    ],
)
def test_the_chips_that_a_refusal_names_can_serve(simulator, arguments):
    code, _, err = simulator("serve", *arguments)
    assert code == 3
    chips = re.search(r"--chips (\d+) can", err)
    assert chips is not None, err
    kept = [word for word in arguments if word not in ("--chips", "3", "8")]
    assert simulator("serve", *kept, "--chips", chips[1])[0] == 0


def test_a_split_that_a_plan_cannot_keep_is_named(simulator):
    code, _, err = simulator("serve", "llama3-70b", "--chips", "8", "--tp", "3", "--plan")
    assert code == 3
    assert "no split of up to 8 chips" in err
    assert "without --tp" in err


def test_a_chip_without_watts_has_the_reason_in_its_first_line(simulator):
    _, out, _ = simulator("serve", "llama3-8b", "--chip", "tpu-v5e", "--chips", "4")
    assert "no joules: neither a design power nor a maximum" in " ".join(out.split())


def test_a_measured_load_touches_other_experts_than_the_default(tmp_path, simulator):
    log = tmp_path / "metrics.jsonl"
    log.write_text(json.dumps({"expert_load": [[1.0] * 32, [2.0] * 16 + [1.0] * 16]}) + "\n")
    shares = {}
    for load in (None, "uniform", str(log)):
        option = () if load is None else ("--load", load)
        _, data, _ = run(simulator, "serve", "gpt-oss-20b", "--batch", "16", *option)
        shares[load] = data["touched_share"]["value"]
    assert shares[None] < shares[str(log)] < shares["uniform"]


def test_a_sweep_ends_at_the_largest_batch_and_has_one_knee():
    answer = over_batches(Request(model="llama3-70b", chip="h100", chips=4))
    assert answer.batches[-1] == answer.served.room.largest_batch
    data = answer.to_dict()
    assert [row["batch"] for row in data["batches"] if row["knee"]] == [data["knee_batch"]]
    products = answer.joules * answer.latency
    assert products.argmin() == answer.knee


def test_a_sweep_has_the_bands_of_its_single_batches():
    sweep = as_rows(over_batches(Request(model="llama3-70b", chip="h100", chips=2)))
    alone = simulator.serve("llama3-70b", "h100", 2, batch=1).quantities["itl_s"]
    assert sweep[0]["itl_s_low"] == pytest.approx(alone.low)
    assert sweep[0]["itl_s_high"] == pytest.approx(alone.high)


def test_powers_of_two_end_at_the_most():
    assert powers(1.0, 20.0).tolist() == [1, 2, 4, 8, 16, 20]
    assert powers(8.0, 8.0).tolist() == [8]


def test_a_plan_keeps_its_limits_and_is_no_worse_than_a_hand_made_one():
    request = Request(model="llama3-70b", chip="h100", chips=8, isl=500, osl=300)
    best = best_plan(request, max_itl_ms=30).best
    assert best.itl_s <= 0.030
    own = simulator.serve("llama3-70b", "h100", 4, batch=64, isl=500, osl=300)
    assert own.quantities["itl_s"].value < 0.030
    assert best.j_per_token <= own.quantities["j_per_token"].value


@pytest.mark.parametrize("how", ["--sweep", "--plan"])
def test_a_sweep_and_a_plan_say_what_was_never_measured(simulator, how):
    _, data, _ = run(simulator, "serve", "llama3-8b", "--chip", "tpu-v6e", how)
    assert any("no measured row is of tpu-v6e" in note for note in data["notes"])
    assert any("by chip-seconds, not by joules" in note for note in data["notes"])
    _, data, _ = run(simulator, "serve", "llama3-8b", "--chip", "h100", how)
    assert not any("measured row" in note or "chip-seconds" in note for note in data["notes"])


def test_a_limit_that_nothing_keeps_says_what_is_possible():
    with pytest.raises(InfeasibleError, match="at best"):
        best_plan(Request(model="llama3-70b", chip="h100", chips=8), max_itl_ms=0.1)


def test_the_published_prompt_comes_out_of_the_ladder():
    # arXiv:2508.15734: 0.24 Wh; chips 58 %, host 25 %, idle machines 10 %, facility 8 %.
    ladder = published_prompt()
    assert ladder[-1].total.value / 3600 == pytest.approx(0.24, rel=0.02)
    shares = [0.58, 0.25, 0.10, 0.08]
    assert [rung.share for rung in ladder] == pytest.approx(shares, abs=0.01)
    assert [rung.total.origin for rung in ladder] == [Origin.MEASURED] * 4


def test_serving_has_spent_what_training_did_after_its_joules_over_those_of_a_day():
    answer = simulator.lifetime("glam-8b", "glam-8b", tokens_per_day=1e8, batch=64)
    (life,) = answer.lives
    served = simulator.serve("glam-8b", "h100", batch=64)
    token = served.account.totals[Boundary.FACILITY].value
    assert life.days.value == pytest.approx(life.training_j.value / token / 1e8)
    twice = simulator.lifetime("glam-8b", "glam-8b", tokens_per_day=2e8, batch=64)
    assert twice.lives[0].days.value == pytest.approx(life.days.value / 2)
    assert life.days.low < life.days.value < life.days.high


def test_a_lifetime_says_how_many_chips_its_tokens_keep_busy():
    rate = simulator.serve("glam-8b", "h100", batch=64).quantities["tokens_per_s"].value
    answer = simulator.lifetime("glam-8b", "glam-8b", tokens_per_day=3 * 86400 * rate, batch=64)
    assert answer.to_dict()["models"][0]["busy_groups"] == pytest.approx(3)
    assert "keep 3 such groups of chips busy" in " ".join(answer.text().split())
    idle = simulator.lifetime("glam-8b", "glam-8b", tokens_per_day=8640 * rate, batch=64)
    assert "busy for 0.1 of the time" in " ".join(idle.text().split())


def test_two_models_are_even_where_their_lines_cross():
    answer = simulator.lifetime(
        "glam-64b-64e",
        "gpt3-175b",
        tokens_per_day=1e9,
        against="gpt3-175b",
        against_serve="llama3-8b",
        chip="b200",
        chips=8,
        batch=64,
    )
    first, second = answer.lives
    tokens = answer.even_tokens.value
    spent = [life.training_j.value + tokens * life.token_j.value for life in (first, second)]
    assert spent[0] == pytest.approx(spent[1])
    assert answer.even_tokens.low <= tokens <= answer.even_tokens.high
    assert 0 <= answer.first_ahead <= 1


def test_a_lifetime_without_tokens_is_refused():
    with pytest.raises(InputError, match="tokens-per-day"):
        simulator.lifetime("glam-8b", "glam-8b", tokens_per_day=0)


def test_glam_and_gpt3_stand_side_by_side_with_their_published_flop(simulator):
    code, data, _ = run(simulator, "compare", "glam-64b-64e", "gpt3-175b", "--serving")
    assert code == 0
    # arXiv:2112.06905 table 1.
    published = [side["published_flop_per_token"]["value"] for side in data["serving"]]
    assert published == [180e9, 350e9]
    counted = [side["flop_per_token"]["value"] for side in data["serving"]]
    assert counted == pytest.approx(published, rel=0.08)


def test_a_comparison_of_serving_draws_it_and_names_what_it_assumed(simulator):
    _, data, _ = run(simulator, "compare", "glam-64b-64e", "gpt3-175b", "--serving")
    assert any("spread of 1.70" in note for note in data["serving"][0]["notes"])
    _, out, _ = simulator("compare", "glam-64b-64e", "gpt3-175b", "--serving")
    assert "note: glam-64b-64e: load of experts" in " ".join(out.split())
    runs, request = ["glam-64b-64e", "gpt3-175b"], Request(model="", chip="b200", chips=0)
    served, plain = compare(*runs, serving=request), compare(*runs)
    assert len(served.panels()) == len(plain.panels()) + 1
    assert "batch 16" in served.plot().axes[-1].get_xlabel()


@pytest.mark.parametrize("option", [("--chip", "l4"), ("--batch", "8"), ("--precision", "fp8")])
def test_a_service_that_would_not_be_compared_is_refused(simulator, option):
    code, _, err = simulator("compare", "glam-64b-64e", "gpt3-175b", *option)
    assert code == 2
    assert "--serving" in err


def test_the_title_of_a_picture_of_serving_is_its_answer():
    service = simulator.serve("llama3-8b", "h100")
    request = Request(model="llama3-8b", chip="h100")
    for answer in (service, over_batches(request), best_plan(request)):
        assert " ".join(answer.plot().get_suptitle().split()) == answer.headline


def test_a_validation_has_both_figures_by_kind_and_all_rows(simulator, tmp_path):
    lines = shipped("serving_energy.csv").read_text().splitlines()
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([lines[0], *lines[1::9]]) + "\n")
    code, data, _ = run(simulator, "validate", "--serving", str(path))
    assert code == 0
    for figure in ("j_per_token", "itl_ms"):
        for kind in ("all", "dense", "moe"):
            summary = data[figure][kind]
            assert summary["n"] > 0
            assert 0 < summary["median_abs_rel_error"] < summary["p90_abs_rel_error"]
            assert 0 < summary["band_coverage"] <= 1
            assert summary["median_band_ratio"] > 1
            assert summary["by_publisher"] > 0
    assert len(data["rows"]) == data["j_per_token"]["all"]["n"] == len(lines[1::9])
    row = data["rows"][0]["j_per_token"]
    assert row["error"] == pytest.approx(row["predicted"] / row["measured"] - 1)


@pytest.mark.slow
def test_families_left_out_are_predicted_within_the_gates():
    # The gates of joules a token of families that no fit saw: median and 90th percentile.
    validation = validate_serving("published", with_folds=True)
    joules = validation.summaries("j_per_token")
    assert joules["moe"].median_abs_rel_error < 0.20
    assert joules["moe"].p90_abs_rel_error < 0.50
    assert joules["dense"].median_abs_rel_error < 0.15
    assert joules["dense"].p90_abs_rel_error < 0.40
    assert 0.75 <= joules["all"].band_coverage <= 0.85
    assert joules["all"].median_band_ratio < 3
    assert validation.summaries("itl_s")["all"].median_abs_rel_error < 0.20


def test_a_tolerance_is_judged_by_joules(simulator):
    code, _, err = simulator("validate", "--serving", "published", "--tolerance", "0.01")
    assert code == 5
    assert "joules a token" in err


def test_constants_of_serving_are_written_by_a_command(simulator, tmp_path):
    lines = shipped("serving_energy.csv").read_text().splitlines()
    table = tmp_path / "mine.csv"
    table.write_text("\n".join([lines[0], *lines[1::5]]) + "\n")
    out = tmp_path / "serving.json"
    code, printed, _ = simulator("calibrate", "--serving", str(table), "--out", str(out))
    assert code == 0
    assert "joules_a_byte" in printed
    arguments = ("serve", "llama3-8b", "--constants", str(out))
    assert simulator(*arguments)[0] == 0

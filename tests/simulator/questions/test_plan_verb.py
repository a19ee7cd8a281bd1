"""`simulator plan`: its page, its JSON, its picture, the plan that it saves and what it refuses."""

import json
import re

import pytest
from matplotlib.figure import Figure

from benchmarks.pages import split_at_marks
from benchmarks.simulator import plans as plan_gates
from simulator.physics.plan import AXES
from simulator.questions.plan import picture
from tests.support import ROOT

MIXTRAL = ("mixtral-8x7b", "--chip", "h100", "--chips", "64", "--tokens", "1e12", "--batch", "512")


def test_a_published_plan_that_does_not_fit_says_by_how_much(simulator):
    words = (
        "plan",
        "deepseek-v3",
        "--chip",
        "h800",
        "--chips",
        "2048",
        "--set",
        "plan.cp=1",
        "--set",
        "plan.recompute=none",
        "--set",
        "plan.micro_batch=2",
    )
    answer = json.loads(simulator(*words, "--json")[1])
    (published,) = answer["published"]
    assert not published["fits"]
    assert re.search(r"too many", published["reason"])
    assert published["plan"] is None
    assert f"none of {published['searched']:,} plans" in simulator(*words)[1]


def test_what_fits_nowhere_says_why_and_what_would_do(simulator):
    code, out, err = simulator("plan", "deepseek-v3", "--chip", "h100", "--chips", "64")
    assert (code, out) == (3, "")
    assert "too many" in err
    assert "optimizer" in err
    chips = int(re.search(r"([\d,]+) of these chips would do", err)[1].replace(",", ""))
    assert chips % 64 == 0
    assert simulator("plan", "deepseek-v3", "--chip", "h100", "--chips", chips)[0] == 0
    assert simulator("plan", "deepseek-v3", "--chip", "h100", "--chips", chips - 64)[0] == 3
    larger = re.search(r"64 of a chip with .*: ([\w-]+)", err)[1]
    assert simulator("plan", "deepseek-v3", "--chip", larger, "--chips", "64")[0] == 0


def test_the_saved_plan_takes_as_long_by_predict(simulator, tmp_path):
    words = (
        "plan",
        *MIXTRAL,
        "--region",
        "FRA",
        "--price",
        "h100-on-demand-2026",
        "--save",
        "best.toml",
    )
    code, out, err = simulator(*words, "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    code, out, err = simulator("predict", "best.toml", "--out", "run")
    assert (code, err) == (0, "")
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    for end in ("value", "low", "high"):
        assert record["metrics"]["step_time_s"][end] == pytest.approx(answer["step_time_s"][end])
    assert answer["step_time_s"]["value"] == pytest.approx(answer["best"]["step_s"])
    assert record["co2_location_g"]["value"] / 1e6 == pytest.approx(answer["best"]["co2"]["value"])
    assert record["cost_usd"]["value"] == pytest.approx(answer["best"]["usd"]["value"])
    assert "wrote best.toml" in simulator(*words)[1]


def test_the_json_has_the_names_that_scripts_rely_on(simulator):
    code, out, err = simulator("plan", *MIXTRAL, "--top", "3", "--json", "--explain")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert {
        "name",
        "chip",
        "chips",
        "by",
        "global_batch",
        "searched",
        "fit",
        "near",
        "degrees",
        "ruled_out",
        "too_large",
        "limit_bytes",
        "step_time_s",
        "mfu",
        "best",
        "runners_up",
        "changed",
        "published",
        "notes",
        "explain",
        "assumed",
    } == set(answer)
    assert (answer["chip"], answer["chips"], answer["by"]) == ("h100-sxm5-80gb", 64, "time")
    assert answer["searched"] == answer["fit"] + sum(answer["too_large"].values())
    assert len(answer["runners_up"]) == 3
    for option in (answer["best"], *answer["runners_up"], *answer["changed"]):
        assert set(AXES) == set(option["plan"])
        assert sum(option["seconds"].values()) == pytest.approx(option["step_s"])
        assert option["memory_bytes"] <= answer["limit_bytes"]
        assert option["mwh"]["low"] < option["mwh"]["value"] < option["mwh"]["high"]
        assert option["usd"]["origin"] == "missing"
    assert answer["explain"]["quantity"]["value"] / 1e6 == pytest.approx(
        answer["best"]["co2"]["value"]
    )


def test_the_page_tells_searched_fitting_and_published(simulator):
    code, out, _ = simulator("plan", *MIXTRAL, "--explain")
    assert code == 0
    answer = json.loads(simulator("plan", *MIXTRAL, "--json")[1])
    assert f"{answer['searched']:,} plans searched, {answer['fit']:,} fit in memory" in out
    assert answer["best"]["words"] in out
    assert "published: nemo-mixtral-8x7b" in out
    assert "CO2e, gross" in out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("mixtral-8x7b", "--chip", "h10", "--chips", "8", "--tokens", "1e9"), 2, "h100-sxm5-80gb"),
        (("mixtrl-8x7b",), 2, "mixtral-8x7b"),
        (("mixtral-8x7b",), 2, "--chip h100 --chips 64"),
        (("mixtral-8x7b", "--chip", "h100", "--chips", "8"), 2, "--tokens"),
        (("glam-8b", "--by", "tme"), 2, "time"),
        (("glam-8b", "--by", "money"), 4, "--price"),
        (("glam-8b", "--price", "h100-on-demand-2026"), 2, "a price of h100-sxm5-80gb"),
        (("glam-8b", "--save", "plan.json"), 2, ".toml"),
        (("glam-8b", "--set", "plan.tp=many"), 2, "expected a number for plan.tp"),
        (("glam-8b", "--set", "plan.tpp=2"), 2, "tp"),
        (("glam-8b", "--set", "plan.zero=4"), 2, "0, 1, 2 or 3"),
    ],
)
def test_what_cannot_be_asked_is_one_line_that_says_what_can(simulator, words, code, said):
    got, out, err = simulator("plan", *words)
    assert (got, out) == (code, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err


def test_the_picture_has_a_unit_a_band_and_a_bar_a_plan(mixtral, simulator, tmp_path):
    (panel,) = picture.panels(mixtral)
    axes = panel(Figure().subplots())
    assert axes.get_xlabel() == "time of a step / s (modelled)"
    assert len(axes.get_yticklabels()) == len(mixtral.rows) == 7
    (legend_of_figure,) = axes.figure.legends
    legend = [text_.get_text() for text_ in legend_of_figure.get_texts()]
    assert {"compute", "communication"} <= set(legend)
    assert any("80 % band" in words for words in legend)
    bars = [bar for bar in axes.patches if round(bar.get_y() + bar.get_height() / 2) == 0]
    assert sum(bar.get_width() for bar in bars) == pytest.approx(mixtral.best.step_s, rel=0.002)
    assert simulator("plan", *MIXTRAL, "--plot", "plan.html")[0] == 0
    assert mixtral.best.words in (tmp_path / "plan.html").read_text()


def test_the_page_about_the_planner_has_a_place_for_its_answer_and_its_gates():
    page = ROOT / "docs" / "planner.md"
    assert (
        f"$ simulator plan {plan_gates.PRINTED}" in split_at_marks(page, plan_gates.ANSWER_MARK)[1]
    )
    answer = split_at_marks(page, plan_gates.MARK)[1]
    assert all(question.name in answer for question in plan_gates.QUESTIONS)

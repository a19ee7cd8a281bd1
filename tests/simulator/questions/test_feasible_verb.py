"""`simulator feasible`: yes with slack and bands, no with what would do, and what it refuses."""

import json

import pytest

SMALL = (
    "feasible",
    "glam-1.7b-64e",
    "glam-1.7b",
    "--tokens",
    "1e9",
    "--chip",
    "h100",
    "--chips",
    "8",
    "--set",
    "run.batch_tokens=65536",
    "--start",
    "2027-01-01",
)


def test_the_verb_says_yes_with_slack_and_bands(simulator, tmp_path):
    words = (*SMALL, "--max-mw", "1", "--by", "2027-01-09")
    code, out, err = simulator(*words, "--json", "--explain")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert (answer["feasible"], answer["start"]) == (True, "2027-01-01")
    assert set(answer["limits"]) == {"mw", "days"}
    for limit in answer["limits"].values():
        assert limit["slack"] == pytest.approx(limit["limit"] - limit["least"])
    assert len(answer["explain"]) == 3 * len(answer["configurations"])
    for place, row in enumerate(answer["configurations"]):
        trees = answer["explain"][3 * place : 3 * place + 3]
        assert row["kind"] in ("moe", "dense")
        assert row["mw"]["low"] < row["mw"]["value"] < row["mw"]["high"]
        assert row["slack"]["days"] == pytest.approx(8 * (1 - row["used"]["days"]))
        co2, power, dollars = (tree["quantity"] for tree in trees)
        assert co2["value"] / 1e6 == pytest.approx(row["co2"]["value"])
        assert power["value"] / 1e6 == pytest.approx(row["mw"]["value"])
        assert (dollars["value"], dollars["origin"]) == (None, "missing")
    code, out, _ = simulator(*words, "--plot", "f.html")
    assert code == 0
    assert "power is nearest" in out
    assert "power is nearest" in (tmp_path / "f.html").read_text()


def test_a_limit_binds_only_if_a_configuration_breaks_it_and_else_is_the_nearest(simulator):
    code, out, _ = simulator(*SMALL, "--max-mw", "1", "--by", "2028-01-09")
    assert code == 0
    assert out.splitlines()[0].endswith("; power is nearest, and breaks none")
    assert "binds" not in out
    code, out, _ = simulator(*SMALL, "--max-mw", "0.007", "--by", "2028-01-09")
    assert code == 0
    assert out.splitlines()[0].endswith("; power binds")


def test_the_verb_says_no_with_what_would_do_and_that_does(simulator):
    words = (*SMALL, "--max-mw", "0.0001", "--by", "2027-01-09")
    code, out, err = simulator(*words, "--json")
    answer = json.loads(out)
    assert (code, answer["feasible"], answer["configurations"]) == (3, False, [])
    assert err.startswith("error: expected a configuration that keeps to every limit")
    (option,) = answer["relaxations"][0]["options"]
    assert option in err
    assert simulator(*SMALL, "--by", "2027-01-09", *option.split())[0] == 0
    code, out, _ = simulator(*words)
    assert (code, "in the way" in out) == (3, True)


def test_explained_dollars_are_those_of_the_answer(simulator):
    words = (*SMALL, "--budget", "1e6", "--json", "--explain")
    for price_words in (
        ("--price", "h100-on-demand-2026"),
        ("--set", "site.electricity_price=0.08"),
    ):
        code, out, _ = simulator(*words, *price_words)
        answer = json.loads(out)
        assert code == 0
        explained = [tree for tree in answer["explain"] if tree["name"] == "dollars"]
        for row, dollars in zip(answer["configurations"], explained, strict=True):
            assert dollars["quantity"]["value"] == pytest.approx(row["usd"]["value"])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (SMALL, 2, "expected a limit"),
        ((*SMALL, "--max-mw", "-1"), 2, "--max-mw above 0"),
        ((*SMALL, "--max-chips", "0"), 2, "--max-chips above 0"),
        ((*SMALL, "--by", "2026-01-01"), 2, "after the start"),
        ((*SMALL, "--by", "tomorrow"), 2, "2027-03-31"),
        ((*SMALL, "--budget", "100"), 4, "--price"),
        ((*SMALL, "--max-mw", "1", "--region", "FRA,XYZ"), 4, "XYZ"),
        (("feasible", "glam-64", "--max-mw", "1"), 2, "did you mean"),
        (("feasible", "glam-64b-64e", "--chips", "8", "--max-mw", "1"), 3, "fits in memory"),
    ],
)
def test_bad_usage_is_one_line(simulator, arguments, code, message):
    exit_code, out, err = simulator(*arguments)
    assert (exit_code, out, err.count("\n")) == (code, "", 1)
    assert message in err

"""Runs of equal loss, and the verb `simulator compare --equal quality`."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InfeasibleError
from simulator.quality.laws import law, laws, size_of
from simulator.quality.match import match
from simulator.questions.compare.answer import compare
from simulator.scenarios.scenario import load

LAW = law("besiroglu-2024")


def of(name, tokens):
    return load(name, {"run.tokens": tokens})


@settings(max_examples=25)
@given(st.floats(5e10, 2e12), st.sampled_from(["glam-137b", "gpt3-175b", "glam-64b-64e"]))
def test_both_runs_have_one_loss_and_the_band_contains_every_law(tokens, second):
    first = of("glam-8b", tokens)
    matched = match(first, of(second, 300e9), LAW, beyond_range=True)
    size = size_of(of(second, 300e9).model.resolve())
    assert LAW.loss(size, matched.tokens.value) == pytest.approx(matched.loss)
    for name, needed in matched.by_law.items():
        assert needed is not None, name
        assert matched.tokens.low <= needed <= matched.tokens.high


@settings(max_examples=10)
@given(st.floats(1e10, 2e12))
def test_a_model_matches_itself_at_its_own_tokens_exactly(tokens):
    matched = match(of("glam-64b-64e", tokens), of("glam-64b-64e", 6e11), LAW)
    assert matched.tokens.value == pytest.approx(tokens, rel=1e-9)
    assert matched.tokens.low == matched.tokens.high == matched.tokens.value


@settings(max_examples=10)
@given(st.floats(5e10, 3e11))
def test_matching_there_and_back_returns_the_tokens(tokens):
    there = match(of("glam-64b-64e", tokens), of("gpt3-175b", 3e11), LAW, beyond_range=True)
    back = match(
        of("gpt3-175b", there.tokens.value), of("glam-64b-64e", 6e11), LAW, beyond_range=True
    )
    assert back.tokens.value == pytest.approx(tokens, rel=1e-9)


# Published (arXiv:2112.06905): GLaM 64B/64E at 280B tokens scores about as GPT-3 at 300B.
def test_the_published_point_of_glam_lies_in_the_band():
    tokens = match(of("gpt3-175b", 3e11), of("glam-64b-64e", 6e11), LAW, beyond_range=True).tokens
    assert tokens.low < 280e9 < tokens.high
    assert tokens.value == pytest.approx(341e9, rel=0.01)


def test_a_band_widens_outside_the_range_of_the_law():
    inside = match(of("glam-1.7b", 1e11), of("glam-8b", 1e11), LAW)
    assert inside.decades_outside == 0
    outside = match(of("gpt3-175b", 1e13), of("glam-137b", 1e11), LAW, beyond_range=True)
    assert outside.decades_outside > 1
    assert outside.tokens.high / max(outside.by_law.values()) > 1.5


def test_a_small_model_never_has_the_loss_of_a_large_one():
    with pytest.raises(InfeasibleError, match="below its floor"):
        match(of("glam-64b-64e", 6e11), of("glam-0.1b", 6e11), LAW)


def test_what_is_proportional_to_tokens_has_the_spread_and_the_rest_does_not():
    answer = compare(
        "gpt3-175b",
        "glam-64b-64e",
        basis="published",
        accounting="as-published",
        equal="quality",
        beyond_range=True,
    )
    (ratio,), (matched,) = answer.ratios, answer.matches
    spread = matched.tokens.low / matched.tokens.value
    assert ratio.model.low / ratio.model.value <= spread * 1.0001
    assert ratio.machine.high / ratio.machine.value < 1.2
    product = ratio.model.value * ratio.machine.value * ratio.mechanization.value
    assert product == pytest.approx(ratio.energy.value, rel=1e-9)
    assert product * ratio.map.value == pytest.approx(ratio.co2.value, rel=1e-9)
    # 456 MWh at 600B tokens: the joules are proportional to the tokens.
    glam = answer.sides[1]
    assert glam.facility_j.value / 3.6e9 == pytest.approx(456 * 341 / 600, rel=0.01)
    assert glam.record.tokens == matched.tokens


def test_the_verb_prints_tokens_by_law_and_its_cautions(simulator):
    arguments = ("compare", "gpt3-175b", "glam-64b-64e", "--equal", "quality", "--beyond-range")
    code, out, err = simulator(*arguments, "--json")
    assert (code, err) == (0, "")
    quality = json.loads(out)["quality"]
    (matched,) = quality["matches"]
    assert set(matched["tokens_by_law"]) == {item.name for item in laws()}
    assert matched["law"] == "besiroglu-2024 with clark-2022-sbase"
    assert any("loss is not skill" in text for text in quality["cautions"])
    code, out, _ = simulator(*arguments)
    assert code == 0
    assert "\nequal: loss by the law above" in out
    assert "glam-64b-64e with 280B; this law says with 341B" in out
    assert "two training runs, not two models" not in out
    code, out, _ = simulator(*arguments, "--law", "krajewski-2024", "--json")
    (other,) = json.loads(out)["quality"]["matches"]
    assert other["tokens"]["value"] < matched["tokens"]["value"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--equal", "quality", "--law", "chinchilla"), 2, "--law"),
        (("--law", "hoffmann-2022"), 2, "--equal quality"),
        (("--equal", "qualty"), 2, "expected --equal tokens, flop, energy, time or quality"),
    ],
)
def test_bad_usage_is_a_single_line(simulator, arguments, code, message):
    exit_code, out, err = simulator("compare", "gpt3-175b", "glam-64b-64e", *arguments)
    assert (exit_code, out, err.count("\n")) == (code, "", 1)
    assert message in err


def test_a_law_is_not_stretched_unless_that_is_requested_and_a_dense_twin_is_offered():
    first, second = of("gpt3-175b", 3e11), of("glam-64b-64e", 6e11)
    with pytest.raises(InfeasibleError, match=r"decades outside.*--beyond-range.*is dense with"):
        match(first, second, LAW)
    assert match(first, second, LAW, beyond_range=True).decades_outside > 0
    same = match(first, of("gpt3-175b", 1e11), LAW)
    assert same.tokens.value == pytest.approx(3e11)


def test_the_headline_at_equal_loss_has_the_spread_of_all_laws(simulator):
    words = ("compare", "glam-8b", "glam-8b-64e", "--equal", "quality", "--basis", "predicted")
    code, _, err = simulator(*words)
    assert code == 3
    assert "--beyond-range" in err
    code, out, _ = simulator(*words, "--beyond-range")
    assert code == 0
    headline = next(line for line in out.splitlines() if line.startswith("at equal loss"))
    assert "times by all laws" in " ".join(out.split())
    assert "by besiroglu-2024" in headline


def test_more_tokens_than_there_is_text_are_never_enough():
    size = size_of(of("glam-0.1b", 1e11).model.resolve())
    floor = LAW.loss(size, 1e30)
    assert LAW.tokens(size, floor + 1e-9) is None

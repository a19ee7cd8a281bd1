"""Answers on one machine: the laws of a pass, and what the verb refuses."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.serving.on_machine import passes
from simulator.serving.request import shape_of
from tests.fuzz.simulator_files import machine
from tests.simulator.fit.test_answer_times import TIMES

MIXTURE, DENSE = (shape_of(name)[1] for name in ("glam-mini-16e", "glam-mini"))
LOAD = {"prompt": 16, "answer": 100, "spread": 1.7}


@given(batch=st.integers(1, 64))
def test_a_batch_takes_longer_than_one_text_and_less_than_one_after_the_other(batch):
    for shape in (MIXTURE, DENSE):
        alone = passes(shape, TIMES, batch=1, **LOAD)
        many = passes(shape, TIMES, batch=batch, **LOAD)
        assert alone.decode <= many.decode * (1 + 1e-9)
        assert many.decode <= batch * alone.decode * (1 + 1e-9)
        assert 0 <= many.touched <= 1
    assert many.experts == 0


def test_tokens_a_second_are_those_of_prompts_and_passes_together():
    result = passes(DENSE, TIMES, batch=4, **LOAD)
    seconds = 4 * result.prompt + 99 * result.decode
    assert result.tokens_per_s == pytest.approx(4 * 100 / seconds)


def test_the_verb_answers_for_a_machine_with_band_and_parts(simulator, tmp_path):
    path = machine(tmp_path, Random(1))
    words = ("serve", "glam-mini-16e", "--machine", path, "--isl", 16, "--osl", 100)
    code, out, err = simulator(*words, "--batch", 8, "--json")
    assert (code, err) == (0, "")
    data = json.loads(out)
    assert data["j_per_token"]["low"] < data["j_per_token"]["value"] < data["j_per_token"]["high"]
    parts = {name: value for name, value in data["step"].items() if name != "mean_s"}
    assert sum(parts.values()) == pytest.approx(data["step"]["mean_s"])
    assert data["itl_s"]["value"] == pytest.approx(data["step"]["mean_s"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--tp", 2), "expected --machine without --tp"),
        (("--sweep",), "expected --machine without --sweep"),
        (("--osl", 300), "--isl 64 --osl 192 fit"),
        (("--batch", 0), "expected --batch from 1"),
        (("--machine", "nowhere.toml"), "a machine file"),
    ],
)
def test_what_a_machine_has_no_use_for_is_refused(simulator, tmp_path, words, says):
    path = machine(tmp_path, Random(1))
    code, _, err = simulator(
        "serve", "glam-mini-16e", "--machine", path, "--isl", 16, "--osl", 100, *words
    )
    assert code == 2
    assert says in err


def test_a_machine_of_a_former_probe_says_what_to_run(simulator, tmp_path):
    path = machine(tmp_path, Random(1))
    path.write_text(path.read_text().partition("[answers]")[0])
    code, _, err = simulator("serve", "glam-mini", "--machine", path, "--isl", 16, "--osl", 100)
    assert code != 0
    assert "run glam probe of this version" in err

"""The examples in the help of the verbs run as they are printed."""

import inspect
import json
import shlex
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from energy.app import examples_of
from simulator.cli import VERBS, verb_of
from tests.fuzz.simulator_files import machine

LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 160,
}

NEED_FILES = ("init", "predict", "calibrate", "validate")
"""Verbs whose examples name files that a reader writes first."""

QUESTIONS = [verb for verb in VERBS if verb not in NEED_FILES]
EXAMPLES = [line for verb in QUESTIONS for line in examples_of(verb_of(verb))]


@pytest.mark.parametrize("verb", QUESTIONS)
def test_every_question_has_examples_of_itself(verb):
    assert any(line.split()[1] == verb for line in EXAMPLES)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_answers_has_json_csv_a_picture_and_an_explanation(verb):
    wanted = {"as_json", "as_csv", "plot", "explain"}
    options = wanted & inspect.signature(verb_of(verb)).parameters.keys()
    assert len(options) == (0 if verb == "init" else 4)


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_runs_as_it_is_printed(simulator, tmp_path, line):
    start = datetime(2025, 1, 1, tzinfo=UTC)
    rows = (
        f"{start + timedelta(hours=hour):%Y-%m-%dT%H:%MZ},{300 + 100 * (hour % 24 > 12)}"
        for hour in range(8760)
    )
    (tmp_path / "grid-2025.csv").write_text("time,g_per_kwh\n" + "\n".join(rows))
    downloaded = tmp_path / "downloads" / "my-model"
    downloaded.mkdir(parents=True)
    (downloaded / "config.json").write_text(json.dumps(LLAMA))
    machine(tmp_path, Random(1))
    code, out, err = simulator(*shlex.split(line)[1:])
    assert (code, err) == (0, "")
    assert out

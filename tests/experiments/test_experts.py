"""The page of the experts of the experiment says what their studies say."""

import json
import tomllib

from experiments.equal_loss.plan import CHECKPOINTS, runs
from experiments.experts import page
from experiments.experts.__main__ import study

OFF = {"nats": 0.0125, "stderr": 0.002}


def score(value, random, random_p):
    fields = {"value": value, "chance": 0.01, "p": 0.001, "random_sd": 0.01}
    return {**fields, "random": random, "random_p": random_p, "effect": value - random}


def layer(number):
    learned = {"token_class": score(0.2, 0.1, 0.01)}
    scores = {name: learned.get(name, score(0.03, 0.05, 0.9)) for name in page.LABELS}
    takes = {name: {"p": 0.01} for name in page.LABELS[:3]}
    experts = [{"expert": 0, "takes": takes, "off": OFF}, {"expert": 1, "takes": takes, "off": OFF}]
    own = {"layer": number, "scores": scores, "busiest": 1.5, "idlest": 0.5}
    return {**own, "experts": experts}, {**own, "settled": 0.4}


def result(steps):
    full, growing = layer(1)
    return {
        "documents": {"code": 20, "prose": 22},
        "tokens": 204800,
        "off_tokens": 65536,
        "permutations": 4999,
        "random_routers": 99,
        "layers": [full],
        "growth": [{"step": step, "loss": 3.0, "layers": [growing]} for step in steps],
    }


def test_the_page_tests_the_claim_and_has_every_expert_and_every_checkpoint(tmp_path):
    results = {"small-2e": result([0, 235, 470]), "large-2e": result([1172])}
    stored = tmp_path / "experts" / "results.json"
    stored.parent.mkdir()
    stored.write_text(json.dumps(results))
    study(tmp_path / "none", tmp_path, only_page=True)
    text = (tmp_path / "results-experts.md").read_text()
    assert "domain: above chance in 2 of 2 layers, above random routers in 0; effect -2.00" in text
    assert "token class: above chance in 2 of 2 layers, above random routers in 2" in text
    assert text.count("+0.0125 ± 0.0020") == 4
    assert [line.split("|")[2].strip() for line in text.splitlines() if "| 3.000 |" in line] == [
        *("0", "235", "470")
    ]


def test_a_run_of_the_experiment_keeps_five_checkpoints_evenly_over_its_steps():
    for run in runs(1.75):
        training = tomllib.loads(run.configuration())["training"]
        every, steps = training["checkpoint_every"], training["steps"]
        saved = [*range(every, steps, every), steps]
        assert len(saved) == training["keep_checkpoints"] == CHECKPOINTS

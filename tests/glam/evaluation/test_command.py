"""The verb `glam eval`: its table, its document, its picture, and what it says of bad input."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks.tiny import MIXTURE_TOML
from energy.record import RunRecord
from glam.checkpoints.checkpoint import Checkpoint
from glam.config import GlamConfig
from glam.data.tokenizer import train_tokenizer
from glam.model.decoder import Glam

CASES = [
    json.loads(line) for line in Path(__file__).with_name("items.jsonl").read_text().splitlines()
]
FORMS = {
    "copa": {"query": "The lamp broke, because", "choices": ["it fell.", "it shone."], "gold": 0},
    "winogrande": {
        "context_options": [
            "The pot is on the stove, and the pot",
            "The pot is on the stove, and the stove",
        ],
        "continuation": "is hot.",
        "gold": 1,
    },
    "triviaqa": {
        "context": "Question: What is ice made of?\nAnswer:",
        "answer": "Water",
        "aliases": ["H2O"],
    },
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder with a checkpoint of an untrained model."""
    folder = tmp_path_factory.mktemp("run")
    recipe = folder / "run.toml"
    recipe.write_text(MIXTURE_TOML)
    config = GlamConfig.of(recipe)
    model = Glam.of(config)
    optimizer = torch.optim.SGD(model.parameters())
    Checkpoint.capture(3, config, model, optimizer).write(folder / "checkpoints")
    texts = [row for case in CASES for row in map(json.dumps, case["rows"])] * 3
    train_tokenizer(texts, 400).save(folder / "tokenizer.model")
    return folder


def write_items(folder, **rows):
    folder.mkdir(exist_ok=True)
    for name, row in rows.items():
        field = "context" if name == "triviaqa" else "query" if name == "copa" else "continuation"
        other = {**row, field: f"{row[field]} again"}
        (folder / f"{name}.jsonl").write_text(f"{json.dumps(row)}\n{json.dumps(other)}\n")
    return folder


@pytest.mark.process
def test_an_evaluation_has_its_joules_and_flop_in_its_record_and_lists_what_it_did_not_run(
    glam, run, tmp_path
):
    data = write_items(tmp_path / "items", **FORMS)
    out, picture = tmp_path / "out", tmp_path / "tasks.svg"
    options = ("--data", data, "--shots", 1, "--meter", "cpu_model")
    result = glam("eval", run, *options, "--out", out, "--plot", picture, "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    tasks = {task["name"]: task for task in document["tasks"]}
    assert len(tasks) == 29
    assert {name for name, task in tasks.items() if task["run"] is True} == set(FORMS)
    assert tasks["boolq"]["run"] == "no file in --data"
    record = RunRecord.load(out / "record.json")
    assert record.model_flop.value == pytest.approx(
        sum(tasks[name]["model_flop"] for name in FORMS)
    )
    assert record.tokens.value == sum(tasks[name]["tokens"] for name in FORMS)
    joules = {window.name: window.energy_j.value for window in record.windows}
    assert {"evaluation", "prefill", "decode"} <= {phase.name for phase in record.phases}
    assert joules["prefill of triviaqa"] + joules["decode of triviaqa"] < joules["triviaqa"]
    for name in FORMS:
        task = tasks[name]
        assert task["n"] == 2
        assert task["energy_j"]["value"] == pytest.approx(joules[name])
        assert task["energy_j"]["low"] < task["energy_j"]["value"] < task["energy_j"]["high"]
        assert f"eval_{name}_1_shot_{task['metric']}" in record.metrics
    assert tasks["copa"]["j_per_item"]["value"] == pytest.approx(joules["copa"] / 2)
    averages = {average["name"]: average for average in document["averages"]}
    assert averages["NLG"]["run"] == 1
    assert averages["NLU"]["value"] == pytest.approx(
        (tasks["copa"]["value"] + tasks["winogrande"]["value"]) / 2
    )
    assert averages["all 29 tasks"]["published_percent"] == {"GLaM": 65.5, "GPT-3": 61.6}
    assert "COPA" in picture.read_text()


@pytest.mark.process
def test_the_table_names_values_chance_and_tasks_without_items(glam, run, tmp_path):
    data = write_items(tmp_path / "items", copa=FORMS["copa"])
    result = glam("eval", run, "--data", data, "--tasks", "copa,rte", "--meter", "cpu_model")
    assert result.code == 0, result.err
    assert "COPA" in result.out
    assert "not run (no file in --data): rte" in result.out
    assert "1 of 29" in result.out


def test_no_items_at_all_is_missing_data(glam, run, tmp_path):
    data = write_items(tmp_path / "items", copa=FORMS["copa"])
    result = glam("eval", run, "--data", data, "--tasks", "rte,cb")
    assert result.code == 4
    assert "expected items of one of rte, cb; got no file of them" in result.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--tasks", "bolq"), "did you mean boolq"),
        (("--tasks", "home_last_word"), "it is one of --suite home"),
        (("--suite", "glam"), "--suite glam29"),
        (("--data", "nowhere"), "folder of JSON lines at nowhere; got no such folder"),
        (("--shots", "2"), "--shots"),
    ],
)
def test_a_slip_in_the_options_is_one_line(glam, run, options, said):
    result = glam("eval", run, *options)
    assert result.code == 2
    assert said in result.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"query": "a", "choices": ["b", "c"], "gold": 0}\n{"query": ', "line 2 of"),
        ("[1]\n", "got a list"),
        ("\n", "got an empty file"),
        ('{"query": "a", "choices": ["b", "c"]}\n', "got no field question"),
        ('{"query": "a", "choices": ["b", "c"], "gold": 2}\n', "2 options and gold 2"),
        ('{"query": "a", "choices": ["b", ""], "gold": 1}\n', "empty"),
    ],
)
def test_a_broken_file_of_items_is_one_line_that_says_where(glam, run, tmp_path, text, said):
    folder = tmp_path / "items"
    folder.mkdir()
    (folder / "copa.jsonl").write_text(text)
    result = glam("eval", run, "--data", folder, "--tasks", "copa")
    assert result.code == 2
    assert said in result.err
    assert len(result.err.splitlines()) == 1


def test_an_example_needs_another_item(glam, run, tmp_path):
    folder = tmp_path / "items"
    folder.mkdir()
    (folder / "copa.jsonl").write_text(json.dumps(FORMS["copa"]))
    options = ("--shots", 1, "--tasks", "copa", "--meter", "cpu_model")
    result = glam("eval", run, "--data", folder, *options)
    assert result.code == 2
    assert "copa.train.jsonl" in result.err

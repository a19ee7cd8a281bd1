"""The home-made set: what it is made of, that it is not trained on, and the verbs of it."""

import json

import pytest

from glam.data.standard_library import Document
from glam.evaluation import harness, suite
from glam.evaluation.home.making import split_of
from glam.evaluation.home.questions import questions
from glam.evaluation.home.unseen import words
from tests.glam.evaluation.models import Scripted
from tests.glam.evaluation.modules import module, untrained_run
from tests.glam.evaluation.test_suite import answered

TASKS = suite.tasks("home")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run on the modules in text/, with a checkpoint of an untrained model."""
    return untrained_run(tmp_path_factory.mktemp("run"))


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_right_option_is_in_the_document_and_each_question_has_its_rule():
    document = Document("m1.py", module(1))
    made = list(questions(document))
    assert {question.task for question in made} == set(TASKS)
    for question in made:
        item = question.item
        if question.task == "home_docstring":
            signature = item["context_options"][item["gold"]]
            after = document.text.partition(signature)[2]
            assert after.lstrip().startswith(f'"""{item["continuation"]}')
        else:
            before = " ".join(item["query"].split())
            right = item["choices"][item["gold"]]
            glue = " " if question.task == "home_last_word" else ""
            assert f"{before}{glue}{right}" in " ".join(document.text.split())
        options = item.get("choices") or item["context_options"]
        assert len(set(options)) == 4


def test_a_model_that_knows_the_answers_has_them_all_and_one_that_does_not_is_at_chance(tmp_path):
    made = list(questions(Document("m2.py", module(2))))
    for name in TASKS:
        rows = [question.item for question in made if question.task == name]
        right = Scripted(lambda item, number, option: -len(option) * (number not in item["golds"]))
        samples, value = answered(name, rows, right, tmp_path)
        assert value.value == 1.0
        assert len({harness.key(sample.item) for sample in samples}) == len(rows)
        _, blind = answered(name, rows, Scripted(lambda *_: -1.0), tmp_path)
        assert blind.chance == 0.25


def test_the_set_is_held_out_the_same_each_time_and_no_document_is_in_two_splits(
    glam, run, tmp_path
):
    for out in ("one", "two"):
        result = glam("items", run, "--out", out, "--items", 30, "--json")
        assert result.code == 0, result.err
    counts = json.loads(result.out)
    assert [row["task"] for row in counts] == list(TASKS)
    trained = {}
    for path in sorted((tmp_path / "one").glob("*.jsonl")):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
        name, _, split = path.name.removesuffix(".jsonl").partition(".")
        rows = lines_of(path)
        assert len(rows) == {row["task"]: row for row in counts}[name][split or "test"] > 0
        for row in rows:
            assert split_of(row["group"]) == (split or "test")
            trained.setdefault(row["group"], set()).add(split)
    assert all(len(splits) == 1 for splits in trained.values())
    assert 20 < len(trained) < 60  # of 120 documents, 30 % of which are for validation


def test_text_that_also_stands_in_a_training_document_is_left_out(glam, run, tmp_path):
    more = tmp_path / "more"
    more.mkdir()
    for number in range(120):  # all that the run has seen or kept apart, under other names
        (more / f"copy{number}.py").write_text(module(number))
    glam("items", run, "--out", "plain")
    result = glam("items", run, "--out", "copied", "--data", more)
    assert result.code == 0, result.err
    for name in TASKS:
        queries = {
            str(words(json.dumps(row.get("query") or row["continuation"])))
            for path in (tmp_path / "plain").glob(f"{name}*.jsonl")
            for row in lines_of(path)
        }
        copied = [
            str(words(json.dumps(row.get("query") or row["continuation"])))
            for path in (tmp_path / "copied").glob(f"{name}*.jsonl")
            for row in lines_of(path)
        ]
        assert set(copied) == queries
        assert len(copied) == len(set(copied))


def test_other_text_than_that_of_the_run_is_refused(glam, run, tmp_path):
    changed = run / "text" / "m0.py"
    before = changed.read_text()
    try:
        changed.write_text(before + "# " + "other words of it " * 500)
        result = glam("items", run, "--out", "out")
    finally:
        changed.write_text(before)
    assert result.code == 2
    assert "expected the text that the run was trained on" in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.process
def test_two_evaluations_of_the_set_are_compared_item_by_item(glam, run, tmp_path):
    assert glam("items", run, "--out", "home", "--items", 20).code == 0
    options = ("--suite", "home", "--data", "home", "--meter", "cpu_model", "--json")
    for shots in (0, 1):
        result = glam("eval", run, *options, "--shots", shots, "--out", f"shots-{shots}")
        assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["suite"] == "home"
    assert [row["name"] for row in document["averages"]] == [
        *("home-made", "NLG", "NLU", "all 3 tasks")
    ]
    result = glam("compare", "shots-0", "shots-1", "--json")
    assert result.code == 0, result.err
    rows = {row["task"]: row for row in json.loads(result.out)}
    assert list(rows) == [*TASKS, "all"]
    for task in document["tasks"]:
        row = rows[task["name"]]
        assert (row["items"], row["second"]) == (task["n"], pytest.approx(task["value"]))
        assert 0 < row["p"] <= 1
    assert "percent right" in glam("compare", "shots-0", "shots-1").out


def test_the_suite_home_without_items_says_how_to_make_them(glam, run):
    result = glam("eval", run, "--suite", "home")
    assert result.code == 4
    assert "glam items RUN --out DIR" in result.err

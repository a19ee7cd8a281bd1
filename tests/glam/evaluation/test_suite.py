"""All 29 tasks: three hand-written items each, and models whose score is known beforehand."""

import json
from collections import Counter
from pathlib import Path

import pytest

from glam.evaluation import harness, local, scores, suite
from tests.glam.evaluation.models import Scripted

ITEMS = Path(__file__).with_name("items.jsonl")
CASES = [json.loads(line) for line in ITEMS.read_text().splitlines()]
TASKS = suite.tasks()


def answered(name, rows, model, folder, shots=0):
    """Samples and value of a task whose file has these rows."""
    (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    facts = {**TASKS, **suite.tasks("home")}[name]
    data = local.load(facts, folder, harness.converter(name))
    samples = harness.run(harness.build(name, shots, data), model, None)
    return samples, scores.total(harness.answers_of(facts, samples, model))


def test_the_suite_has_the_29_tasks_of_the_paper_in_7_categories_8_of_them_generated():
    assert len(TASKS) == 29
    assert len({task.category for task in TASKS.values()}) == 7
    assert Counter(task.generates for task in TASKS.values()) == {True: 8, False: 21}
    assert [case["task"] for case in CASES] == list(TASKS)
    files = sorted(path.stem for path in harness.TASK_FILES.glob("[!_]*.yaml"))
    assert files == sorted([*TASKS, *suite.tasks("home")])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["task"])
def test_three_items_have_the_score_that_was_worked_out_by_hand(case, tmp_path):
    queue = iter(case["replies"])
    options = {}

    def score(item, number, _):
        key = json.dumps(item)
        if key not in options:
            options[key] = next(queue)
        return float(options[key][number])

    model = Scripted(score, lambda _: next(queue))
    samples, value = answered(case["task"], case["rows"], model, tmp_path)
    assert len(samples) == 3
    assert value.value == pytest.approx(eval(case["value"]), abs=1e-9), case["why"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["task"])
def test_a_model_that_knows_the_answers_has_them_all_with_and_without_an_example(case, tmp_path):
    def knows(item, number, option):
        return 0.0 if number in item["golds"] else -100.0 * len(option)

    model = Scripted(knows, lambda item: f" {item['references'][0]}" if item["references"] else "")
    for shots in (0, 1):
        samples, value = answered(case["task"], case["rows"], model, tmp_path, shots)
        if case["task"] not in ("drop", "coqa", "quac"):
            assert value.value == 1.0
        for sample in samples if shots else ():
            prompt = sample.arguments[0][0]
            assert "\n\n" in prompt


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if not task.generates])
def test_a_model_without_preference_is_at_the_chance_level(name, tmp_path):
    case = next(case for case in CASES if case["task"] == name)
    by_tokens = TASKS[name].normalizer == "tokens"
    model = Scripted(lambda item, number, option: -2.0 * (len(option) if by_tokens else 1))
    _, value = answered(name, case["rows"], model, tmp_path)
    assert value.value == pytest.approx(value.chance, abs=1e-9)
    assert 0 < value.chance < 1

"""What a scenario names is looked up once for each of its chips, and no step is computed again."""

from __future__ import annotations

from collections import Counter
from functools import wraps

import pytest

from simulator.fit.pool import Pool
from simulator.kit.answer import Answer
from simulator.physics.hardware import Hardware
from simulator.physics.step import step
from simulator.plans.evaluate import evaluate, evaluate_all
from simulator.questions.plan.answer import plan
from simulator.questions.power.answer import power
from simulator.questions.sweep.pareto import pareto
from simulator.scenarios.sections import ModelSection, SiteSection

SPARSE, DENSE = "glam-8b-64e", "glam-8b"

SPACES = {
    "simulator.runs.estimate.evaluate": evaluate,
    "simulator.questions.plan.search.evaluate": evaluate,
    "simulator.questions.sweep.search.evaluate_all": evaluate_all,
}
"""Where spaces of plans are evaluated."""


@pytest.fixture
def calls(monkeypatch):
    """How often everything is looked up and computed, by name."""
    counter: Counter[str] = Counter()

    def counted(name, function):
        @wraps(function)
        def call(*args, **keywords):
            counter[name] += 1
            return function(*args, **keywords)

        return call

    whole = ModelSection.whole_shape
    monkeypatch.setattr(whole, "func", counted("shape", whole.func))
    monkeypatch.setattr(SiteSection, "resolve", counted("site", SiteSection.resolve))
    monkeypatch.setattr(Pool, "constants", counted("constants", Pool.constants))
    monkeypatch.setattr(Hardware, "from_chip", counted("hardware", Hardware.from_chip))
    monkeypatch.setattr("simulator.runs.estimate.step", counted("steps", step))
    for name, function in SPACES.items():
        monkeypatch.setattr(name, counted("spaces", function))
    return counter


def show(answer: Answer) -> None:
    """Show an answer in every way."""
    answer.text()
    answer.to_dict()
    answer.terms()
    answer.plot()


def test_power_resolves_its_scenario_once_and_takes_one_step(calls):
    show(power(SPARSE))
    once = ("shape", "site", "constants", "hardware", "spaces", "steps")
    assert calls == dict.fromkeys(once, 1)


@pytest.mark.parametrize(
    ("target", "published", "options"),
    [("glam-64b-64e", 1, {}), ("mixtral-8x7b", 0, {"chip": "a100", "chips": 64, "tokens": 1e11})],
)
def test_plan_resolves_its_scenario_once_and_takes_the_steps_of_all_rows_at_once(
    calls, target, published, options
):
    answer = plan(target, **options)
    show(answer)
    assert len(answer.published) == published
    # A space as it fits and one without a limit of memory, for the plans and each published one.
    spaces, steps = 2 * (1 + published), 1 + published
    once = dict.fromkeys(("shape", "site", "constants", "hardware"), 1)
    assert calls == once | {"spaces": spaces, "steps": steps}


def test_pareto_resolves_and_evaluates_each_model_on_each_chip_once_and_its_site_for_each_place(
    calls,
):
    answer = pareto(
        SPARSE, DENSE, chip=["tpu-v4", "h100"], chips=[256, 512], region=["FRA", "USA"], tokens=1e11
    )
    assert len(answer.cells) == 2 * 2 * 2 * 2
    show(answer)
    assert calls == {
        "shape": 2,
        "hardware": 2 * 2,
        "constants": 2 * 2,
        "site": 2 * 2 * 2,
        "spaces": 2 * 2,
        "steps": len(answer.choices),
    }


def test_models_of_equal_loss_are_looked_up_once_for_the_law_and_the_search(calls):
    answer = pareto(SPARSE, DENSE, chip=["tpu-v4", "h100"], equal="quality", beyond_range=True)
    assert len({cell.scenario.tokens for cell in answer.cells}) == 2
    assert calls["shape"] == 2

"""The best plan by brute force as well, why others lose, and what fits nowhere."""

import tomllib

import numpy as np
import pytest

from energy.errors import InfeasibleError, InputError, MissingDataError
from simulator.physics.memory import memory
from simulator.physics.plan import AXES, plan_at
from simulator.physics.power import chip_watts
from simulator.physics.step import step
from simulator.plans.evaluate import evaluate
from simulator.plans.space import space
from simulator.published.plans import known_plans
from simulator.questions.plan.answer import best_plans
from simulator.questions.plan.question import question
from simulator.questions.plan.ranking import CHOICES, DEGREES
from simulator.questions.plan.relaxation import enough_chips
from simulator.questions.plan.search import PlanSearch
from simulator.runs import spend
from simulator.runs.predict import predict
from simulator.runs.setup import Setup
from simulator.scenarios.scenario import check, load
from simulator.scenarios.variants import planned
from simulator.scenarios.writer import text
from tests.oracles.flat_plans import every_plan
from tests.support.plans import fits

SMALL = {
    "plan.cp": 1,
    "plan.zero": 1,
    "plan.sequence_parallel": True,
    "plan.recompute": "full",
    "plan.vp": 1,
    "plan.etp": 1,
    "plan.shard": 4,
    "site.electricity_price": 0.08,
}


BUDGETS = {"time": "days", "energy": "mwh", "co2": "co2", "money": "usd"}


def small(**more):
    return question(
        "mixtral-8x7b", chip="h100", chips=16, tokens=1e11, batch=64, overrides=SMALL | more
    ).scenario


def search_of(scenario, by="time"):
    return PlanSearch(Setup.of(scenario), by)


@pytest.fixture(scope="module")
def one_by_one():
    """What `simulator predict` says of every plan of a small space, each by itself."""
    scenario, spent = small(), {}
    plans = every_plan(search_of(scenario).space())
    for index in range(len(plans.tp)):
        plan = plan_at(plans, index)
        try:
            known = spend.Predicted()(alone := planned(scenario, plan)).by_budget()
        except InfeasibleError:
            continue
        if fits(alone):
            spent[plan] = known
    return len(plans.tp), spent


@pytest.mark.parametrize("by", BUDGETS)
def test_the_best_is_that_of_predicting_every_plan_by_itself(by, one_by_one):
    searched, spent = one_by_one
    cost = {plan: budgets[BUDGETS[by]].value for plan, budgets in spent.items()}
    answer = best_plans(small(), by)
    assert answer.evaluation.considered == searched
    assert answer.evaluation.fitting == len(cost) < searched
    assert cost[answer.best.plan] == pytest.approx(min(cost.values()), rel=1e-12)
    assert answer.best.spend.by_budget()[BUDGETS[by]].value == cost[answer.best.plan]
    for option in answer.runners_up:
        worse = cost[option.plan] / cost[answer.best.plan] - 1
        assert worse == pytest.approx(option.worse, abs=1e-9)


def test_a_runner_up_is_the_best_of_other_degrees():
    answer = best_plans(small(), count=100)
    every, measure = answer.evaluation, answer.evaluation.step_s
    degrees = [
        tuple(getattr(option.plan, name) for name in DEGREES)
        for option in (answer.best, *answer.runners_up)
    ]
    all_degrees = np.column_stack([np.asarray(getattr(every.plans, name)) for name in DEGREES])
    assert len(set(degrees)) == len(degrees) == len(np.unique(all_degrees, axis=0))
    steps = [option.step_s for option in (answer.best, *answer.runners_up)]
    assert steps == sorted(steps)
    for own, step_s in zip(degrees, steps, strict=True):
        alike = np.all(all_degrees == own, axis=1)
        assert step_s == pytest.approx(float(measure[alike].min()))


def test_what_a_plan_loses_by_part_sums_to_what_it_loses(mixtral):
    others = [*mixtral.runners_up, *(option for _, option in mixtral.changed)]
    assert len(others) > 8
    for option in others:
        gaps = option.against(mixtral.best)
        assert sum(gaps.values()) == pytest.approx(option.step_s - mixtral.best.step_s, abs=1e-9)
        assert option.worse == pytest.approx(option.step_s / mixtral.best.step_s - 1)
        largest = max(gaps, key=lambda name: abs(gaps[name]))
        assert option.why(mixtral.best).startswith(largest)


def test_another_choice_of_an_axis_is_the_best_that_has_it(mixtral):
    every, best = mixtral.evaluation, mixtral.best.plan
    assert {name for axes, _ in mixtral.changed for name in axes} <= set(CHOICES)
    for axes, option in mixtral.changed:
        for name in axes:
            column = np.asarray(getattr(every.plans, name))
            assert getattr(option.plan, name) != getattr(best, name)
            least = every.step_s[column != getattr(best, name)].min()
            assert option.step_s == pytest.approx(float(least))


def test_what_memory_costs_is_the_gap_to_a_chip_without_a_limit(mixtral):
    setup, option = mixtral.setup, mixtral.best
    plans = every_plan(
        setup.space({name: getattr(option.plan, name) for name in DEGREES}, fine=True)
    )
    unlimited_s = np.min(step(setup.shape, plans, setup.hardware, setup.constants).step_s)
    assert 0 < option.freed == pytest.approx(1 - float(unlimited_s) / option.step_s)


def test_memory_first_gives_what_predicting_every_plan_gives():
    search = search_of(small(**{"plan.recompute": "none"}))
    setup, space_ = search.setup, search.space()
    every = every_plan(space_)
    use = memory(setup.shape, every, setup.hardware)
    seconds = step(setup.shape, every, setup.hardware, setup.constants)
    watts = chip_watts(seconds, setup.hardware, setup.constants)
    evaluation = evaluate(setup.shape, space_, setup.hardware, setup.constants).in_order()
    assert evaluation.considered == len(use.fits)
    assert sum(evaluation.too_large.values()) == np.sum(~use.fits)
    assert evaluation.step_s == pytest.approx(seconds.step_s[use.fits])
    assert evaluation.chip_w == pytest.approx(watts[use.fits])
    assert evaluation.leanest_bytes == pytest.approx(float(use.total_bytes.min()))
    leanest = memory(setup.shape, evaluation.leanest, setup.hardware)
    assert float(leanest.total_bytes) == pytest.approx(evaluation.leanest_bytes)


@pytest.mark.parametrize(("chips", "batch"), [(48, 96), (64, 500), (1, 3)])
def test_every_plan_of_the_space_is_possible_and_there_once(chips, batch):
    search = search_of(
        question("qwen3-30b-a3b", chip="h100", chips=chips, tokens=1e9, batch=batch).scenario
    )
    rows = {}
    for fine in (True, False):
        space_ = search.space(fine=fine)
        plans = every_plan(space_)
        assert all(np.all(holds) for holds in plans.conditions(search.setup.shape).values())
        axes = [name for name in AXES if getattr(plans, name) is not None and name != "shard"]
        columns = [np.asarray(getattr(plans, name)).tolist() for name in axes]
        shards = np.broadcast_to(np.asarray(plans.sharded), len(plans.tp)).tolist()
        rows[fine] = list(zip(*columns, shards, strict=True))
        assert len(set(rows[fine])) == len(rows[fine])
        degrees = np.unique(np.column_stack([space_.rows[name] for name in DEGREES]), axis=0)
        assert space_.tried == len(degrees) + sum(space_.ruled_out.values())
    assert set(rows[False]) <= set(rows[True])


@pytest.mark.parametrize(
    ("model", "chip", "chips", "batch"),
    [
        ("glam-64b-64e", None, None, None),
        ("gpt3-175b", "a100", 1024, 1536),
        ("deepseek-v3", "h800", 2048, 15360),
        ("mixtral-8x7b", "h100", 64, 512),
    ],
)
def test_the_published_models_are_searched_over_100_000_plans(model, chip, chips, batch):
    scenario = question(model, chip=chip, chips=chips, batch=batch, tokens=1e12).scenario
    planned_ = best_plans(scenario, count=1)
    assert planned_.evaluation.considered >= 100_000
    (published,) = planned_.published
    assert published.option is not None
    for name, value in (published.known.usual | published.known.fields).items():
        assert getattr(published.option.plan, name) == value
    assert published.option.worse >= -1e-9


def test_a_published_plan_that_is_not_possible_here_says_which_rule_it_breaks():
    scenario = question("gpt3-175b", chip="a100", chips=1024, batch=4).scenario
    (published,) = best_plans(scenario, count=1).published
    assert published.option is None
    assert "more data parallel ranks than sequences" in published.reason


def test_a_plan_is_known_on_its_own_chips_only():
    scenario = question("gpt3-175b", chip="a100", chips=1024, batch=1536).scenario
    shape = scenario.model.resolve()
    (known,) = known_plans(shape, "a100-sxm4-80gb", 1024)
    assert known.fields == {"tp": 8, "pp": 16, "recompute": "full", "sequence_parallel": False}
    assert known.usual == {"cp": 1, "etp": 1, "zero": 0}
    assert known.batch == 1536
    assert known_plans(shape, "a100-sxm4-80gb", 1000) == []
    assert known_plans(shape, "h100-sxm5-80gb", 1024) == []


def test_a_batch_that_no_chips_can_share_out_is_no_matter_of_memory():
    scenario = question(
        "mixtral-8x7b", chip="h100", chips=64, tokens=1e9, batch=512, overrides={"plan.tp": 3}
    ).scenario
    with pytest.raises(InfeasibleError, match="tp does not divide the heads"):
        best_plans(scenario)
    assert enough_chips(search_of(scenario)) is None


def test_a_scenario_reads_back_as_it_was_written():
    scenario = question(
        "glam-64b-64e",
        region="FRA",
        price="tpu-v4-list-2024",
        overrides={"model.shape.seq_len": 2048, "run.goodput": 0.9},
    ).scenario
    assert check(tomllib.loads(text(scenario)), "its own text") == scenario


def test_nothing_published_of_another_run_goes_into_the_saved_one():
    scenario = question("glam-64b-64e", chip="h100", chips=1024).scenario
    answer = best_plans(scenario, count=0)
    assert scenario.published is not None
    assert answer.best_scenario.published is None
    assert predict(answer.best_scenario).record.metrics["step_time_s"].value == pytest.approx(
        answer.best.step_s
    )


def test_unknown_watts_leave_time_and_refuse_energy():
    scenario = question(
        "mixtral-8x7b", chip="gh200-96gb", chips=64, tokens=1e12, batch=512
    ).scenario
    with pytest.raises(MissingDataError, match="watts of gh200"):
        best_plans(scenario, "energy")
    with pytest.raises(InputError, match="expected --by time, energy, co2 or money; got tim"):
        best_plans(scenario, "tim")


def test_given_degrees_are_kept_and_the_rest_is_searched():
    scenario = question(
        "mixtral-8x7b",
        chip="h100",
        chips=64,
        tokens=1e12,
        batch=512,
        overrides={"plan.pp": 4, "plan.micro_batch": 2},
    ).scenario
    planned_ = best_plans(scenario)
    assert {(row.plan.pp, row.plan.micro_batch) for _, row in planned_.rows[:-1]} == {(4, 2.0)}


def test_a_space_without_a_possible_plan_names_the_rule():
    setup = Setup.of(small())
    with pytest.raises(InfeasibleError, match="more data parallel ranks than sequences"):
        space(setup.shape, 16, 2, setup.base, {"tp": [1], "pp": [1], "cp": [1]})


def test_software_without_fused_attention_cuts_no_sequences():
    scenario = question("glam-64b-64e", overrides={"model.shape.seq_len": 8192}).scenario
    assert search_of(scenario).space().rows["cp"].max() == 1
    today = question(
        "glam-64b-64e", overrides={"model.shape.seq_len": 8192, "hardware.software": "xla"}
    ).scenario
    assert search_of(today).space().rows["cp"].max() == 16


def test_the_frame_of_an_answer_has_the_best_plan_first_and_each_unit_once_in_its_columns():
    frame = best_plans(small()).to_frame()
    assert frame.loc[0, "name"] == "best"
    assert len(frame) > 1
    assert {"mwh", "usd", "step_s"} <= set(frame.columns)
    assert "mwh_mwh" not in frame.columns


@pytest.mark.parametrize(
    ("schedule", "field", "value"),
    [("dualpipe", "vp", 2), ("zero-bubble", "vp", 4), ("dualpipe", "pp", 1), ("dualpipe", "pp", 5)],
)
def test_stages_that_a_schedule_does_not_allow_are_refused(schedule, field, value):
    overrides = {"plan.schedule": schedule, f"plan.{field}": value}
    with pytest.raises(InputError, match=rf"plan\.{field} to be .* with plan\.schedule {schedule}"):
        predict(load("glam-8b", overrides))

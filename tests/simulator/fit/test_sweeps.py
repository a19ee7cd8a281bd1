"""Many rows of one framework say more of it, and little more of the constants of everyone."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from simulator.fit.from_rows import FRAMEWORK_WEIGHT, MOST_ROWS, of_large_frameworks
from simulator.fit.from_rows import problem as problem_of
from simulator.fit.gauss_newton import FEWEST, SWEEP_ROWS, Problem, fit_pool
from simulator.fit.pool import Pool
from simulator.fit.throughput import evaluate
from simulator.physics.constants import PRIORS, Constants
from simulator.published.shipped import shipped
from simulator.published.throughput import read_throughput


def problem(counts: dict[str, int], steps_s: dict[str, float]) -> Problem:
    """Frameworks of rows whose rate is 1 / step_s, which they measured as 1 / their step."""
    names = [name for name, count in counts.items() for _ in range(count)]
    return Problem(
        names=("step_s",),
        groups={"framework": np.array(names)},
        predict=lambda constants: 1 / np.asarray(constants.step_s),
        measured=np.array([1 / steps_s[name] for name in names]),
        weight=np.array([4 / counts[name] ** 0.5 for name in names]),
    )


@pytest.mark.parametrize(("rows", "is_sweep"), [(SWEEP_ROWS, False), (SWEEP_ROWS + 1, True)])
def test_the_world_stays_with_everyone_else_where_the_slow_rows_are_a_sweep(rows, is_sweep):
    fitted = fit_pool(problem({"a": rows, "b": 20}, {"a": 4.5e-3, "b": 3e-3}), Pool()).pool
    off_the_others = abs(np.log(fitted.world["step_s"] / 3e-3))
    assert off_the_others < 0.1 if is_sweep else off_the_others > 0.2
    assert ("step_s" in fitted.deviations.get("framework", {}).get("a", {})) == is_sweep
    own = fitted.constants(framework="a").step_s
    assert own == pytest.approx(4.5e-3, rel=0.05) or not is_sweep


def test_a_second_search_moves_a_framework_toward_its_rows_and_nothing_else():
    counts, slow = {"a": SWEEP_ROWS + 1, "b": SWEEP_ROWS + 1, "c": 20}, {"a": 9e-3, "b": 2e-3}
    made = problem(counts, slow | {"c": 3e-3})
    names = made.groups["framework"]
    software = {"software": np.where(names == "c", "y", "x")}
    made = replace(made, names=("step_s", "host_s"), groups=made.groups | software)
    few = replace(
        made,
        weight=made.weight * np.where(names == "c", 1, 1e-4),
        predict=lambda constants: 1 / (np.asarray(constants.step_s) + constants.host_s),
    )
    own = replace(
        few,
        groups={name: words[names == "a"] for name, words in few.groups.items()},
        measured=few.measured[names == "a"],
        weight=made.weight[names == "a"],
    )
    once, again = fit_pool(few, Pool()), fit_pool(few, Pool(), again=[own])
    off = [
        np.log(few.predict(fit.pool.resolve(few.groups)) / few.measured) for fit in (once, again)
    ]
    assert np.array_equal(again.residuals, off[1])
    assert abs(off[1][0]) < abs(off[0][0]) / 2
    before, after = once.pool.deviations, again.pool.deviations
    assert before["software"]["x"]
    assert before["framework"]["b"]
    assert after["framework"].pop("a") != before["framework"].pop("a")
    assert (again.pool.world, after) == (once.pool.world, before)


def test_a_second_search_with_the_same_weights_finds_nothing_more():
    many = {"a": SWEEP_ROWS + 1}
    made = problem(many | {"b": 20}, {"a": 9e-3, "b": 3e-3})
    once = fit_pool(made, Pool(), iterations=100).pool
    again = fit_pool(made, Pool(), iterations=100, again=[problem(many, {"a": 9e-3})]).pool
    assert again.constants(framework="a").step_s == pytest.approx(
        once.constants(framework="a").step_s, rel=0.01
    )


def test_rows_of_a_framework_beyond_the_first_few_weigh_no_more_together():
    rows = [row for row in read_throughput(shipped("throughput.csv")).rows if row.measured]
    plans = evaluate(rows, Pool()).plans
    made, own = problem_of(rows, plans), of_large_frameworks(rows, plans)
    most = FRAMEWORK_WEIGHT * MOST_ROWS**0.5
    names, counts = made.groups["framework"], Counter(row.framework for row in rows)
    for name in counts:
        assert made.weight[names == name].sum() <= most * (1 + 1e-9)
    again = {str(part.groups["framework"][0]): part for part in own}
    assert set(again) == {name for name, count in counts.items() if count > MOST_ROWS}
    for name, part in again.items():
        assert (part.groups["framework"] == name).all()
        assert part.weight.sum() > made.weight[names == name].sum()


def test_constants_that_are_stepped_together_give_the_derivatives_of_one_at_a_time():
    rows = [row for row in read_throughput(shipped("throughput.csv")).rows if row.measured][::20]
    made = problem_of(rows, evaluate(rows, Pool()).plans)
    at = Pool().resolve(made.groups)
    together = {name: np.tile(getattr(at, name), (2, len(rows))) for name in PRIORS}
    together["eff_max"][0] *= 1.01
    together["host_s"][1] *= 1.01
    alone = [
        made.predict(replace(at, **{name: getattr(at, name) * 1.01}))
        for name in ("eff_max", "host_s")
    ]
    assert np.array_equal(made.predict(Constants(**together)), np.stack(alone))


def test_a_framework_of_a_few_rows_has_no_deviations():
    fitted = fit_pool(problem({"a": FEWEST - 1, "b": 20}, {"a": 4.5e-3, "b": 3e-3}), Pool()).pool
    assert "a" not in fitted.deviations.get("framework", {})

"""A sweep of layouts has constants of its own, and does not pull those of everyone else."""

from dataclasses import replace

import numpy as np
import pytest

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

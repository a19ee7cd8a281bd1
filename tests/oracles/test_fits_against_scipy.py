"""The robust fits of the simulator against `scipy.optimize.least_squares` on the same problem."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from simulator.fit.gauss_newton import SCALE, TAIL, Problem, fit_pool
from simulator.fit.least_squares import fit
from simulator.fit.pool import DEVIATIONS, Pool
from simulator.physics.constants import PRIORS

NAMES = ("eff_max", "memory_efficiency", "launch_s")
ROWS = 60


def workload():
    """Operations and bytes of each row; a third of the rows is dominated by each constant."""
    generator = np.random.default_rng(7)
    flop, size = 10 ** generator.uniform(9, 12, ROWS), 10 ** generator.uniform(6, 10, ROWS)
    return flop, size, 10 ** generator.uniform(0, 4, ROWS)


def seconds(eff_max, memory_efficiency, launch_s):
    flop, size, calls = workload()
    return flop / (1e14 * eff_max) + size / (1e12 * memory_efficiency) + calls * launch_s


def measured(noise):
    """Times of a machine that differs from the priors; a few rows stalled."""
    generator = np.random.default_rng(11)
    factor = np.exp(noise * generator.standard_normal(ROWS))
    factor[::15] *= 2.0
    return seconds(0.55, 0.62, 7e-6) * factor


def minimum(residuals, width, center, low, high, loss):
    """The minimum that scipy finds of a robust loss of the rows, plus the square of the priors."""

    def stacked(x):
        return np.concatenate([residuals(x), (x - center) / width])

    def rho(z):
        value = np.stack([z, np.ones_like(z), np.zeros_like(z)])
        value[:, :ROWS] = loss(z[:ROWS])
        return value

    return least_squares(
        stacked, np.clip(center, low, high), loss=rho, bounds=(low, high), xtol=1e-14, ftol=1e-14
    ).x


def soft_l1(scale):
    def loss(z):
        root = np.sqrt(1 + z / scale**2)
        return 2 * (root - 1), 1 / (scale**2 * root), -1 / (2 * scale**4 * root**3)

    return loss


def cauchy(z):
    ratio = 1 + z / TAIL**2
    return (
        (TAIL / SCALE) ** 2 * np.log(ratio),
        1 / (SCALE**2 * ratio),
        -1 / (SCALE**2 * TAIL**2 * ratio**2),
    )


def priors_of(names):
    rows = [PRIORS[name] for name in names]
    columns = [(row.value, row.factor, row.low, row.high) for row in rows]
    return np.log(np.array(columns)).T


@pytest.mark.parametrize("noise", [0.0, 0.03, 0.2])
def test_the_fit_of_a_machine_is_at_the_minimum_that_scipy_finds(noise):
    times = measured(noise)
    center, width, low, high = priors_of(NAMES)
    expected = minimum(
        lambda x: np.log(seconds(*np.exp(x)) / times), width, center, low, high, soft_l1(0.1)
    )
    fitted = fit(NAMES, lambda constants: seconds(**constants), times, scale=0.1)
    assert [fitted.values[name] for name in NAMES] == pytest.approx(np.exp(expected), rel=1e-4)


def test_a_constant_at_the_end_of_its_range_leaves_the_others_near_their_minimum():
    times = seconds(5.0, 0.62, 7e-6)
    center, width, low, high = priors_of(NAMES)
    expected = minimum(
        lambda x: np.log(seconds(*np.exp(x)) / times), width, center, low, high, soft_l1(0.1)
    )
    fitted = fit(NAMES, lambda constants: seconds(**constants), times, scale=0.1)
    assert fitted.values["eff_max"] == PRIORS["eff_max"].high
    # The step of all constants is cut at the range of one, so the others stop just short of theirs.
    assert [fitted.values[name] for name in NAMES] == pytest.approx(np.exp(expected), rel=0.01)


def test_the_pooled_fit_is_at_the_minimum_that_scipy_finds():
    chips = np.array(["hopper", "ampere", "tpu-v5"])[np.arange(ROWS) % 3]
    times = measured(0.05) * np.where(chips == "ampere", 1.3, 1.0)
    problem = Problem(
        NAMES,
        {"architecture": chips},
        lambda c: seconds(c.eff_max, c.memory_efficiency, c.launch_s),
        times,
        np.ones(ROWS),
    )
    pool = fit_pool(problem, Pool(), iterations=100).pool

    varied = [name for name in NAMES if name in DEVIATIONS["architecture"]]
    places = [(name, chip) for name in varied for chip in sorted(set(chips))]
    center, width, low, high = priors_of(NAMES)
    sigma = [DEVIATIONS["architecture"][name] for name, _ in places]
    free = np.full(len(places), np.inf)

    def residuals(x):
        constants = {name: np.full(ROWS, x[i]) for i, name in enumerate(NAMES)}
        for (name, chip), deviation in zip(places, x[len(NAMES) :], strict=True):
            constants[name] = constants[name] + np.where(chips == chip, deviation, 0.0)
        return np.log(seconds(**{name: np.exp(c) for name, c in constants.items()}) / times)

    expected = minimum(
        residuals,
        np.concatenate([width, sigma]),
        np.concatenate([center, np.zeros(len(places))]),
        np.concatenate([low, -free]),
        np.concatenate([high, free]),
        cauchy,
    )
    world = [np.log(pool.world[name]) for name in NAMES]
    deviations = [pool.deviations["architecture"][chip][name] for name, chip in places]
    assert [*world, *deviations] == pytest.approx(expected, abs=0.01)

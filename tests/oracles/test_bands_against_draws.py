"""The bands of sums and products against a million random draws.

The rule of `multiply` is exact for log-normal factors and that of `add` for normal summands; for
skewed inputs both are approximations, whose coverage is checked here.
"""

import numpy as np
import pytest

from energy.arithmetic import add, multiply
from energy.quantity import Origin, Quantity

DRAWS = 1_000_000
Z_90 = 1.2815515655446004
"""Standard deviations from the median to the 90 % quantile: half of an 80 % band."""


def quantity(value, low, high):
    return Quantity(value=value, unit="1", low=low, high=high, origin=Origin.MODELLED, source="x")


def normals(count):
    generator = np.random.default_rng(20_260_101)
    return generator.standard_normal((count, DRAWS))


def log_normal(x, z):
    """Draws whose median is the value and whose 10 and 90 % quantiles are the ends of the band."""
    value, low, high = x.numbers()
    ratio = np.where(z < 0, value / low, high / value)
    return value * ratio ** (z / Z_90)


def normal(x, z):
    value, low, high = x.numbers()
    return value + np.where(z < 0, value - low, high - value) * z / Z_90


def coverage(x, draws):
    _, low, high = x.numbers()
    return np.mean((draws >= low) & (draws <= high))


ENERGY, PUE, FACTOR = quantity(456.0, 380.0, 547.2), quantity(1.1, 1.0, 1.21), quantity(88, 44, 176)


def test_the_band_of_a_product_has_the_quantiles_of_the_draws():
    za, zb = normals(2)
    product = multiply(ENERGY, FACTOR, "1")
    low, high = np.quantile(log_normal(ENERGY, za) * log_normal(FACTOR, zb), [0.1, 0.9])
    assert (product.low, product.high) == pytest.approx((low, high), rel=5e-3)


def test_the_band_of_a_quotient_has_the_quantiles_of_the_draws():
    za, zb = normals(2)
    quotient = multiply(ENERGY, FACTOR, "1", divide=True)
    low, high = np.quantile(log_normal(ENERGY, za) / log_normal(FACTOR, zb), [0.1, 0.9])
    assert (quotient.low, quotient.high) == pytest.approx((low, high), rel=5e-3)


def test_a_chain_of_products_covers_what_it_states():
    za, zb, zc = normals(3)
    product = multiply(multiply(ENERGY, PUE, "1"), FACTOR, "1")
    draws = log_normal(ENERGY, za) * log_normal(PUE, zb) * log_normal(FACTOR, zc)
    assert coverage(product, draws) == pytest.approx(product.coverage, abs=0.005)


@pytest.mark.parametrize("ends", [(0.5, 1.1), (0.9, 3.0), (0.98, 1.6)])
def test_a_skewed_product_covers_about_what_it_states(ends):
    za, zb = normals(2)
    skewed = quantity(10.0, 10 * ends[0], 10 * ends[1])
    product = multiply(skewed, skewed, "1")
    draws = log_normal(skewed, za) * log_normal(skewed, zb)
    assert coverage(product, draws) == pytest.approx(product.coverage, abs=0.05)


def test_the_band_of_an_independent_sum_has_the_quantiles_of_the_draws():
    za, zb = normals(2)
    a, b = quantity(100.0, 80.0, 120.0), quantity(50.0, 40.0, 60.0)
    total = add([a, b], correlated=False)
    low, high = np.quantile(normal(a, za) + normal(b, zb), [0.1, 0.9])
    assert (total.low, total.high) == pytest.approx((low, high), rel=5e-3)


def test_the_band_of_a_correlated_sum_has_the_quantiles_of_errors_that_go_together():
    (z,) = normals(1)
    a, b = quantity(100.0, 80.0, 150.0), quantity(50.0, 45.0, 60.0)
    total = add([a, b], correlated=True)
    low, high = np.quantile(normal(a, z) + normal(b, z), [0.1, 0.9])
    assert (total.low, total.high) == pytest.approx((low, high), rel=5e-3)


def test_a_correlated_sum_of_independent_errors_covers_more_than_it_states():
    za, zb = normals(2)
    a, b = quantity(100.0, 80.0, 150.0), quantity(80.0, 60.0, 110.0)
    total = add([a, b], correlated=True)
    assert coverage(total, normal(a, za) + normal(b, zb)) > total.coverage + 0.05

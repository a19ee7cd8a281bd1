"""RMSNorm in few memory passes equals the formula, forward and backward."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glam.model.norm import EPSILON, RMSNorm, RMSNormFunction


def by_formula(x, scale):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPSILON) * scale


@pytest.mark.parametrize("sizes", [(7, 5), (2, 3, 16)])
def test_value_and_gradients_equal_the_formula(sizes):
    torch.manual_seed(0)
    norm = RMSNorm(sizes[-1])
    torch.nn.init.normal_(norm.scale)
    x, error = torch.randn(sizes, requires_grad=True), torch.randn(sizes)
    ours = torch.autograd.grad(norm(x), [x, norm.scale], error)
    expected = torch.autograd.grad(by_formula(x, norm.scale), [x, norm.scale], error)
    torch.testing.assert_close(norm(x), by_formula(x, norm.scale))
    for gradient, reference in zip(ours, expected, strict=True):
        torch.testing.assert_close(gradient, reference, rtol=1e-5, atol=1e-6)


def test_gradients_match_finite_differences_in_float64():
    x = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    scale = torch.randn(6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(RMSNormFunction.apply, (x, scale))


@given(st.floats(1e-30, 1e15), st.integers(1, 8))
def test_rows_of_every_scale_are_normalized(factor, width):
    x = torch.full((1, width), factor)
    expected = factor / (factor**2 + EPSILON) ** 0.5
    torch.testing.assert_close(RMSNorm(width)(x), torch.full_like(x, expected))


def test_half_precision_is_normalized_in_float32():
    x = torch.full((1, 4), 300.0, dtype=torch.float16)  # its square overflows float16
    assert RMSNorm(4)(x).dtype == torch.float16
    torch.testing.assert_close(RMSNorm(4)(x), torch.ones(1, 4, dtype=torch.float16))

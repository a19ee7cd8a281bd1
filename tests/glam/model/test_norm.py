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


def test_a_result_in_bfloat16_is_that_of_float32_rounded_once():
    x = torch.randn(3, 8, requires_grad=True)
    norm = RMSNorm(8)
    rounded = norm(x, torch.bfloat16)
    assert torch.equal(rounded, norm(x).bfloat16())
    (gradient,) = torch.autograd.grad(rounded, x, torch.ones_like(rounded))
    (expected,) = torch.autograd.grad(norm(x), x, torch.ones(3, 8))
    torch.testing.assert_close(gradient, expected)

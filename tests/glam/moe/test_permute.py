"""Permuting and combining tokens equals plain gathers and sums."""

import pytest
import torch

from glam.moe.permute import Combine, Permute


@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_permute_and_combine_equal_a_gather_and_a_weighted_sum_with_their_gradients(top_k):
    torch.manual_seed(top_k)
    tokens = torch.randn(9, 8, requires_grad=True)
    weights = torch.rand(9, top_k, requires_grad=True)
    order = torch.randperm(9 * top_k)
    rows_of_token = order.argsort().view(9, top_k)
    token_of_row = order // top_k
    scale = torch.rand(9 * top_k, 1)
    error = torch.randn(9, 8)

    rows = Permute.apply(tokens, token_of_row, rows_of_token, None) * scale
    ours = Combine.apply(rows, weights, token_of_row, rows_of_token)
    copies = tokens.repeat_interleave(top_k, 0)[order] * scale
    plain = (copies[rows_of_token.flatten()].view(9, top_k, 8) * weights.unsqueeze(-1)).sum(1)
    torch.testing.assert_close(ours, plain, rtol=1e-6, atol=1e-6)
    gradients = torch.autograd.grad(ours, [tokens, weights], error)
    expected = torch.autograd.grad(plain, [tokens, weights], error)
    for gradient, reference in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, reference, rtol=1e-6, atol=1e-6)


def test_the_gradient_of_a_permutation_has_the_same_bits_every_time():
    torch.manual_seed(0)
    tokens = torch.randn(512, 64, requires_grad=True)
    order = torch.randperm(1024)
    rows_of_token = order.argsort().view(512, 2)
    error = torch.randn(1024, 64)
    first, *others = (
        torch.autograd.grad(Permute.apply(tokens, order // 2, rows_of_token, None), tokens, error)[
            0
        ]
        for _ in range(5)
    )
    assert all(first.equal(other) for other in others)


def test_choices_without_a_row_contribute_nothing():
    """4 of 6 choices have a row; the fifth row is empty and is a copy of token 0."""
    torch.manual_seed(0)
    tokens = torch.randn(3, 8, requires_grad=True)
    weights = torch.rand(3, 2, requires_grad=True)
    kept = torch.tensor([[True, False], [True, True], [False, True]])
    rows_of_token = torch.tensor([[2, 0], [0, 3], [0, 1]])
    token_of_row, rows_of_kept = torch.tensor([1, 2, 0, 1, 0]), torch.tensor([2, 0, 3, 1])
    error, scale = torch.randn(3, 8), torch.rand(5, 1)

    rows = Permute.apply(tokens, token_of_row, rows_of_token, kept) * scale
    ours = Combine.apply(rows, weights * kept, token_of_row, rows_of_token)
    plain = torch.zeros(3, 8)
    for row, (token, choice) in zip(rows_of_kept, kept.nonzero(), strict=True):
        output = weights[token, choice] * scale[row] * tokens[token]
        plain = plain.index_add(0, token.view(1), output.view(1, -1))
    torch.testing.assert_close(ours, plain)
    gradients = torch.autograd.grad(ours, [tokens, weights], error)
    expected = torch.autograd.grad(plain, [tokens, weights], error)
    for gradient, reference in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, reference)
